package alarm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"time"
)

// zonesArchive is Go's own table of time zones, compressed: package time/tzdata takes four times as
// much. The container's image and Windows have no table. go test ./alarm -update writes it.
//
//go:embed zones.tar.gz
var zonesArchive []byte

// zone returns the zone of a name as this system has it, or else as it was known when the program
// was made.
func zone(name string) (*time.Location, error) {
	if here, err := time.LoadLocation(name); err == nil {
		return here, nil
	}
	return archivedZone(name)
}

func archivedZone(name string) (*time.Location, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(zonesArchive))
	if err != nil {
		return nil, err
	}
	files := tar.NewReader(unpacked)
	for {
		file, err := files.Next()
		if err == io.EOF {
			return nil, fmt.Errorf("%q is no time zone: write Europe/Berlin, or UTC", name)
		}
		if err != nil {
			return nil, err
		}
		if file.Name != name {
			continue
		}
		data, err := io.ReadAll(files)
		if err != nil {
			return nil, err
		}
		return time.LoadLocationFromTZData(name, data)
	}
}

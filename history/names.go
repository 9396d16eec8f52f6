package history

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/tftpsql/tftpsql/device"
)

// likeUID is what a reference takes for the UID of a capture.
var likeUID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?i)(urn:uuid:|\{)?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$`)
})

// CheckName returns an error where a name would be taken for another kind of reference, or is no
// part of an address.
func CheckName(name string) error {
	if strings.TrimSpace(name) != name || name == "" || len(name) > device.MaxName ||
		device.Text(name) != name || strings.ContainsAny(name[:1], "-@~/") || name == "." ||
		name == ".." || likeUID().MatchString(name) {
		return fmt.Errorf("%q is no name: 1 to %d printable characters, no -, @, ~ or / at its "+
			"beginning, neither . nor .. alone", name, device.MaxName)
	}
	return nil
}

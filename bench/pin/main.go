// Pin is a server made with github.com/pin/tftp as its README has it, files both ways: pin ADDRESS
// DIR [BLKSIZE], with BLKSIZE on a single port. It is a program of its own, so that its start and
// its memory are not bench's.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pin/tftp/v3"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: pin ADDRESS DIR [BLKSIZE]")
		os.Exit(2)
	}
	addr, dir := os.Args[1], os.Args[2]
	s := tftp.NewServer(
		func(name string, to io.ReaderFrom) error {
			f, err := os.Open(filepath.Join(dir, filepath.Base(name)))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = to.ReadFrom(f)
			return err
		},
		func(name string, from io.WriterTo) error {
			f, err := os.OpenFile(filepath.Join(dir, filepath.Base(name)),
				os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = from.WriteTo(f)
			return err
		})
	if len(os.Args) > 3 {
		blksize, err := strconv.Atoi(os.Args[3])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		s.EnableSinglePort()
		s.SetBlockSize(blksize)
	}
	if err := s.ListenAndServe(addr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

package tftp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/tftp"
)

// TestPeerServers lets the client speak to two servers of real life, which make deps unpacks into
// .deps.
func TestPeerServers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("these servers want to be started by root")
	}
	for name, command := range map[string]func(addr, port, dir string) []string{
		"in.tftpd": func(addr, _, dir string) []string {
			return []string{"-L", "-a", addr, "-c", "-p", "-u", "root", "-s", dir}
		},
		"atftpd": func(_, port, dir string) []string {
			return []string{"--daemon", "--no-fork", "--port", port, "--bind-address", "127.0.0.1",
				"--user", "root", "--group", "root", dir}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join("..", ".deps", "usr", "sbin", name)
			if _, err := os.Stat(program); err != nil {
				if os.Getenv("CI") != "" {
					t.Fatal(err, "(make deps unpacks it)")
				}
				t.Skip(err, "(make deps unpacks it)")
			}
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o777); err != nil { // the server gives up root's rights
				t.Fatal(err)
			}
			addr := freePort(t)
			_, port, _ := net.SplitHostPort(addr)
			ctx, cancel := context.WithCancel(context.Background())
			cmd := exec.CommandContext(ctx, program, command(addr, port, dir)...)
			var said lockedBuffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				cancel()
				_ = cmd.Wait() // killed
			})
			answers(t, addr)
			clients := []tftp.Client{{}, {Blksize: 1428}, {Mode: tftp.Netascii},
				{Mode: tftp.Netascii, Blksize: 600}, {Timeout: 2 * time.Second}}
			if name == "atftpd" { // which has windows, and refuses blocks under 512 bytes
				clients = append(clients, tftp.Client{Blksize: 1428, Windowsize: 8})
			} else {
				clients = append(clients, tftp.Client{Blksize: 8})
			}
			for i, c := range clients {
				for _, size := range []int{0, 1, 511, 512, 513, 1428, 20000} {
					body := random(size)
					if c.Mode == tftp.Netascii {
						// what both servers translate alike
						body = bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("\r"), nil),
							[]byte("\x00"), nil)
					}
					file := fmt.Sprintf("client%d-size%d", i, size)
					if err := c.Put(t.Context(), addr, file, body); err != nil {
						t.Errorf("%+v: put %d bytes: %v\n%s", c, size, err, said.String())
						continue
					}
					got, err := c.Get(t.Context(), addr, file)
					for tries := 0; tries < 200 && err == nil && !bytes.Equal(got, body); tries++ {
						// atftpd acknowledges first and writes, and mends line ends, afterwards
						got, err = c.Get(t.Context(), addr, file)
					}
					if err != nil || !bytes.Equal(got, body) {
						t.Errorf("%+v: %d bytes came back of %d, %v", c, len(got), len(body), err)
					}
				}
			}
			if _, err := (&tftp.Client{}).Get(t.Context(), addr, "none"); err == nil {
				t.Error("a file that isn't there was fetched")
			}
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}

// answers waits until a server answers at all.
func answers(t *testing.T, addr string) {
	t.Helper()
	for range 100 {
		_, err := (&tftp.Client{Patience: 600 * time.Millisecond}).Get(t.Context(), addr,
			"anything")
		var said *tftp.PeerError
		if err == nil || errors.As(err, &said) {
			return
		}
	}
	t.Fatal("the server never answered")
}

package cli

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/pgtest"
)

// realClient is a TFTP client of Debian's: the arguments that send and fetch a file.
type realClient struct {
	program  string
	put, get func(host, port, local, remote string) []string
	netascii bool // it translates line ends, so it is given text
}

var realClients = map[string]realClient{
	"curl": {
		program: "curl",
		put: func(host, port, local, remote string) []string {
			return []string{"-sS", "-T", local, "tftp://" + host + ":" + port + "/" + remote}
		},
		get: func(host, port, local, remote string) []string {
			return []string{"-sS", "-o", local, "tftp://" + host + ":" + port + "/" + remote}
		},
	},
	"curl-blksize": {
		program: "curl",
		put: func(host, port, local, remote string) []string {
			return []string{"-sS", "--tftp-blksize", "1428", "-T", local,
				"tftp://" + host + ":" + port + "/" + remote}
		},
		get: func(host, port, local, remote string) []string {
			return []string{"-sS", "--tftp-blksize", "1428", "-o", local,
				"tftp://" + host + ":" + port + "/" + remote}
		},
	},
	"tftp-hpa": {
		program: "tftp",
		put: func(host, port, local, remote string) []string {
			return []string{"-m", "binary", host, port, "-c", "put", local, remote}
		},
		get: func(host, port, local, remote string) []string {
			return []string{"-m", "binary", host, port, "-c", "get", remote, local}
		},
	},
	"atftp": {
		program: "atftp",
		put: func(host, port, local, remote string) []string {
			return []string{"--put", "--local-file", local, "--remote-file", remote, host, port}
		},
		get: func(host, port, local, remote string) []string {
			return []string{"--get", "--local-file", local, "--remote-file", remote, host, port}
		},
	},
	"atftp-options": {
		program: "atftp",
		put: func(host, port, local, remote string) []string {
			return []string{"--option", "blksize 1428", "--option", "tsize", "--option",
				"windowsize 8", "--put", "--local-file", local, "--remote-file", remote, host, port}
		},
		get: func(host, port, local, remote string) []string {
			return []string{"--option", "blksize 1428", "--option", "tsize", "--option",
				"windowsize 8", "--get", "--local-file", local, "--remote-file", remote, host, port}
		},
	},
	"tftp-hpa-netascii": {
		program: "tftp", netascii: true,
		put: func(host, port, local, remote string) []string {
			return []string{"-m", "ascii", host, port, "-c", "put", local, remote}
		},
		get: func(host, port, local, remote string) []string {
			return []string{"-m", "ascii", host, port, "-c", "get", remote, local}
		},
	},
	"atftp-netascii": {
		program: "atftp", netascii: true,
		put: func(host, port, local, remote string) []string {
			return []string{"--option", "mode netascii", "--put", "--local-file", local,
				"--remote-file", remote, host, port}
		},
		get: func(host, port, local, remote string) []string {
			return []string{"--option", "mode netascii", "--get", "--local-file", local,
				"--remote-file", remote, host, port}
		},
	},
	"busybox": {
		program: "busybox",
		put: func(host, port, local, remote string) []string {
			return []string{"tftp", "-p", "-l", local, "-r", remote, host, port}
		},
		get: func(host, port, local, remote string) []string {
			return []string{"tftp", "-g", "-l", local, "-r", remote, host, port}
		},
	},
}

// TestRealClients sends files of sizes around every border with other people's clients, looks
// whether each is stored byte for byte when the client says it was sent, and fetches it again.
func TestRealClients(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		onPostgres := strings.HasPrefix(url, "postgres")
		host, port, _ := net.SplitHostPort(p.addr)
		for name, c := range realClients {
			program, err := exec.LookPath(c.program)
			if err != nil {
				pgtest.Missing(t, err)
			}
			for _, size := range []int{0, 1, 511, 512, 513, 1427, 1428, 1429, 1 << 20,
				65535*512 + 1} {
				if size > 1<<24 && (testing.Short() || name == "curl-blksize" ||
					name == "atftp-options" || c.netascii || onPostgres) {
					// Blocks of 512 bytes roll over, which is what the size is for. That takes some
					// seconds, and is nothing that the database sees.
					continue
				}
				dir := t.TempDir()
				local, back, remote := filepath.Join(dir, "local"), filepath.Join(dir, "back"),
					fmt.Sprintf("%s-size%d", name, size)
				body := randomBytes(size)
				for i, b := range body {
					if c.netascii {
						body[i] = "abc\n"[b%4]
					} else if size > 1<<24 { // text: bytes of a terminal take longer to read
						body[i] = ' ' + b%64
					}
				}
				if err := os.WriteFile(local, body, 0o600); err != nil {
					t.Fatal(err)
				}
				// busybox ends well where nothing acknowledges its last block, and says "timeout".
				if out, err := exec.CommandContext(t.Context(), program, c.put(host, port, local,
					remote)...).CombinedOutput(); err != nil || strings.Contains(string(out),
					"timeout") {
					t.Errorf("%s put %d bytes: %v\n%s", name, size, err, out)
					continue
				}
				if got := p.must(t, "show", remote); got != string(body) {
					t.Errorf("%s put %d bytes: %d are stored", name, size, len(got))
				}
				out, err := exec.CommandContext(t.Context(), program,
					c.get(host, port, back, remote)...).CombinedOutput()
				got, readErr := os.ReadFile(back)
				if size == 0 && readErr != nil {
					got = nil // curl makes no file for no bytes
				}
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%s get %d bytes: %d came back, %v\n%s", name, size, len(got), err,
						out)
				}
			}
		}
	})
}

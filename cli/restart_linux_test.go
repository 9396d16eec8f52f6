package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/tftp"
)

// TestRollingRestart: with a socket that outlives the process, as systemd's does, no upload fails
// while the program is restarted.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	file, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	url := databases["sqlite"](t)
	begin := func() (*exec.Cmd, *logBuffer) {
		log := newLog()
		// exec keeps the number of the process
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" --drain 5s`, os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"=1", "DATABASE_URL="+url, "HTTP_ADDR=none",
			"LISTEN_FDS=1")
		cmd.ExtraFiles = []*os.File{file}
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
		log.wait(t, "msg=listening")
		return cmd, log
	}
	cmd, log := begin()
	var uploads sync.WaitGroup
	var done atomic.Bool
	var ended atomic.Int64
	for worker := range 6 {
		uploads.Go(func() {
			for n := 0; !done.Load(); n++ {
				body := fmt.Sprintf("worker %d upload %d", worker, n)
				if err := (&tftp.Client{Patience: 30 * time.Second}).Put(context.Background(),
					socket.LocalAddr().String(), fmt.Sprintf("dev%d.conf", worker),
					[]byte(body)); err != nil {
					t.Errorf("%s: %v", body, err)
					return
				}
				ended.Add(1)
			}
		})
	}
	for range 3 {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, log)
		}
		cmd, log = begin()
		log.wait(t, "msg=received") // it works before it is restarted again
	}
	done.Store(true)
	uploads.Wait()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
	var captures []wireCapture
	unmarshal(t, (&program{url: url}).must(t, "log", "-n", "0", "--json"), &captures)
	if int64(len(captures)) < ended.Load() || ended.Load() < 8 {
		t.Errorf("%d uploads ended well, %d are stored", ended.Load(), len(captures))
	}
	t.Logf("%d uploads over 3 restarts", ended.Load())
}

// TestStopWhileStalled: TFTP_DRAIN bounds how long the program waits for a PostgreSQL that is
// stalled; the device hears that.
func TestStopWhileStalled(t *testing.T) {
	t.Parallel()
	for _, spool := range []bool{false, true} {
		server, err := pgtest.Start("")
		if err != nil {
			pgtest.Missing(t, err)
		}
		defer server.Remove()
		args := []string{"--http", "none"} // and --drain 1s
		if spool {
			args = append(args, "--spool", filepath.Join(t.TempDir(), "spool.db"))
		}
		p := start(t, server.Create(t), args...)
		p.put(t, "fw1.conf", fortigate("fw1", "1"))
		if err := server.Stall(); err != nil {
			pgtest.Missing(t, err)
		}
		sent := make(chan error, 1)
		go func() {
			sent <- (&tftp.Client{}).Put(t.Context(), p.addr, "fw1.conf",
				[]byte(fortigate("fw1", "2")))
		}()
		time.Sleep(300 * time.Millisecond) // until it is being stored, of which there is no sign
		began := time.Now()
		p.stop()
		if err := <-sent; err == nil || !strings.Contains(err.Error(),
			"server is shutting down, try again") || time.Since(began) > 2*time.Second {
			t.Errorf("spool %v: the device heard %v after %v", spool, err, time.Since(began))
		}
		if status := <-p.status; status != 0 || time.Since(began) > 6*time.Second {
			t.Errorf("spool %v: status %d after %v\n%s", spool, status, time.Since(began), p.log)
		}
		p.status <- 0
		if err := server.Resume(); err != nil {
			t.Error(err)
		}
	}
}

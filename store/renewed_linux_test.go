package store_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// guarded is a PostgreSQL that takes a worker by TLS and password alone.
type guarded struct {
	*testing.T
	dir   string // its certificate, its key and the rules of who comes in
	addr  string
	admin *pgx.Conn
}

// certify replaces the server's certificate, which is its own authority, and the copy that a worker
// trusts.
func (g *guarded) certify(trusted string) {
	g.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		g.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(g.addr)}}
	cert, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		g.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		g.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	g.write("cert", string(text))
	g.write("key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	if err := os.WriteFile(trusted, text, 0o600); err != nil {
		g.Fatal(err)
	}
}

// write makes a file that is the server's alone.
func (g *guarded) write(name, text string) {
	g.Helper()
	cmd := exec.Command("sh", "-c", `umask 077; cat > "$1"`, "sh", filepath.Join(g.dir, name))
	cmd.Stdin = strings.NewReader(text)
	pgtest.AsUser(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		g.Fatalf("%v\n%s", err, out)
	}
}

// exec runs statements, and then ends all sessions of workers.
func (g *guarded) exec(texts ...string) {
	g.Helper()
	for _, text := range append(texts, "SELECT pg_reload_conf()",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'") {
		if _, err := g.admin.Exec(g.Context(), text); err != nil {
			g.Fatal(err)
		}
	}
}

// TestRenewed: under a running worker the server's certificate and the role's password change; its
// new connections take both from their files. While the passfile is stale, captures go to the
// spool, and the log says where to look.
func TestRenewed(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "tftpsql-guarded") // open to the user that PostgreSQL runs as
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := &guarded{T: t, dir: dir, addr: fmt.Sprintf("127.98.%d.1", os.Getpid()%256)}
	trusted, passfile := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "pass")
	g.certify(trusted)
	g.write("hba", "local all postgres trust\nhostssl all worker all scram-sha-256\n")
	server, err := pgtest.Start(fmt.Sprintf("-c fsync=off -c listen_addresses=%s -c ssl=on "+
		"-c ssl_cert_file=%[2]s/cert -c ssl_key_file=%[2]s/key -c hba_file=%[2]s/hba", g.addr, dir))
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	url := server.Create(t)
	if g.admin, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	defer g.admin.Close(context.Background())
	database := g.admin.Config().Database
	know := func(password string) {
		t.Helper()
		if err := os.WriteFile(passfile, []byte("*:*:*:worker:"+password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	know("first")
	g.exec("CREATE ROLE worker LOGIN PASSWORD 'first'",
		"ALTER DATABASE "+database+" OWNER TO worker")
	var log bytes.Buffer
	s, err := store.Open(fmt.Sprintf("postgres://worker@%s/%s?sslmode=verify-full&sslrootcert=%s"+
		"&passfile=%s", g.addr, database, trusted, passfile), store.Options{Own: true,
		Spool: filepath.Join(t.TempDir(), "spool.db"), Logger: slog.New(slog.NewTextHandler(&log,
			nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, s, capture(1, "fw1", "a"))
	g.certify(trusted)
	know("second")
	g.exec("ALTER ROLE worker PASSWORD 'second'")
	put(t, s, capture(2, "fw1", "b"))
	emptied(t, s) // the new connection may have taken longer than the spool waits

	// by a connection of its own
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	g.exec("ALTER ROLE worker PASSWORD 'third'")
	if !put(t, s, capture(3, "fw1", "c")).Spooled {
		t.Error("with a stale password it is stored")
	}
	know("third")
	emptied(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "DATABASE_URL and its passfile") {
		t.Errorf("the log says\n%s", &log)
	}
}

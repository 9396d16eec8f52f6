package sftp_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	client "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/tftpsql/tftpsql/sftp"
)

// check is a check of logins with one user, in time that doesn't depend on the password.
func check(_ context.Context, a sftp.Attempt, password []byte) (sftp.Login, error) {
	right := subtle.ConstantTimeCompare(password, []byte("secret"))
	if a.User != "acme" || right != 1 {
		return sftp.Login{}, errors.New("wrong name or password")
	}
	return sftp.Login{Name: a.User}, nil
}

// hostKey makes a key. A program keeps its key, since clients remember it.
func hostKey() ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		panic(err)
	}
	return signer
}

// serve runs a server on a free loopback port and returns a connection to it.
func serve(s *sftp.Server) *ssh.Client {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go s.Serve(l)
	conn, err := ssh.Dial("tcp", l.Addr().String(), &ssh.ClientConfig{
		User: "acme", Auth: []ssh.AuthMethod{ssh.Password("secret")},
		HostKeyCallback: ssh.FixedHostKey(s.HostKeys[0].PublicKey()),
	})
	if err != nil {
		panic(err)
	}
	return conn
}

// upload sends a file by SFTP. The error of Close is the one that counts.
func upload(conn *ssh.Client, path, text string) error {
	c, err := client.NewClient(conn)
	if err != nil {
		return err
	}
	defer c.Close()
	f, err := c.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(f, text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// The client hears OK after the handler has returned nil.
func ExampleServer() {
	s := &sftp.Server{
		HostKeys: []ssh.Signer{hostKey()},
		Password: check,
		Handler: sftp.HandlerFunc(func(_ context.Context, u *sftp.Upload) error {
			fmt.Printf("%s sends %s by %s: %q\n", u.Login.Name, u.Path, u.Mode, u.Body)
			return nil
		}),
	}
	defer s.Close()
	conn := serve(s)
	defer conn.Close()
	fmt.Println(upload(conn, "/site1/fw1.conf", "hostname fw1\n"))
	// Output:
	// acme sends /site1/fw1.conf by sftp: "hostname fw1\n"
	// <nil>
}

// What a handler refuses, the client is told in the words of its Error, and never by its cause.
func ExampleError() {
	s := &sftp.Server{
		HostKeys: []ssh.Signer{hostKey()},
		Password: check,
		Handler: sftp.HandlerFunc(func(_ context.Context, u *sftp.Upload) error {
			if strings.HasSuffix(u.Path, ".exe") {
				return &sftp.Error{Message: "configurations only"}
			}
			return errors.New("connection to 10.0.0.7 refused")
		}),
	}
	defer s.Close()
	conn := serve(s)
	defer conn.Close()
	fmt.Println(upload(conn, "virus.exe", "MZ"))
	fmt.Println(upload(conn, "fw1.conf", "hostname fw1\n"))
	// Output:
	// sftp: "configurations only" (SSH_FX_FAILURE)
	// sftp: "storage unavailable, try again" (SSH_FX_FAILURE)
}

// Ended sees each upload, also one that never got to the handler.
func ExampleServer_ended() {
	ended := make(chan string, 1)
	s := &sftp.Server{
		HostKeys: []ssh.Signer{hostKey()},
		Password: check,
		Handler:  sftp.HandlerFunc(func(context.Context, *sftp.Upload) error { return nil }),
		Limits:   sftp.Limits{MaxSize: 10},
		Ended: func(o sftp.Outcome) {
			ended <- fmt.Sprintf("%s, %d bytes: %v", o.Upload.Path, o.Bytes, o.Err)
		},
	}
	defer s.Close()
	conn := serve(s)
	defer conn.Close()
	session, err := conn.NewSession()
	if err != nil {
		panic(err)
	}
	session.Stdin = strings.NewReader("C0644 13 fw1.conf\n")
	fmt.Println(session.Run("scp -t /site1/"))
	fmt.Println(<-ended)
	// Output:
	// Process exited with status 1
	// /site1/fw1.conf, 0 bytes: too large: a file may have 10 bytes
}

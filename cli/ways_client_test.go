package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// sftpConn is a client of pkg/sftp with its connection.
type sftpConn struct {
	*sftp.Client
	conn net.Conn
}

func (c *sftpConn) Close() error { return errors.Join(c.Client.Close(), c.conn.Close()) }

// dial connects with the key of the login acme, for so long.
func (w *waysIn) dial(patience time.Duration) (*ssh.Client, net.Conn, error) {
	text, err := os.ReadFile(w.key)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, nil, err
	}
	conn, err := net.DialTimeout("tcp", w.ssh, patience)
	if err != nil {
		return nil, nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	c, channels, requests, err := ssh.NewClientConn(conn, w.ssh, &ssh.ClientConfig{User: "acme",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return ssh.NewClient(c, channels, requests), conn, nil
}

// sftp is dial and SFTP.
func (w *waysIn) sftp(patience time.Duration) (*sftpConn, error) {
	c, conn, err := w.dial(patience)
	if err != nil {
		return nil, err
	}
	client, err := sftp.NewClient(c)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &sftpConn{client, conn}, nil
}

// putSFTP sends a file. Nil is the receipt.
func (w *waysIn) putSFTP(name, body string, patience time.Duration) error {
	c, err := w.sftp(patience)
	if err != nil {
		return err
	}
	defer c.Close()
	f, err := c.Create("/" + name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, body)
	return errors.Join(err, f.Close())
}

// putSCP sends a file as scp -O does. Nil is the receipt.
func (w *waysIn) putSCP(name, body string, patience time.Duration) error {
	c, conn, err := w.dial(patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	to, err := s.StdinPipe()
	if err != nil {
		return err
	}
	from, err := s.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.Start("scp -t /" + name); err != nil {
		return err
	}
	header := fmt.Sprintf("C0644 %d %s\n", len(body), name)
	for _, text := range []string{"", header, body + "\x00"} {
		if _, err := io.WriteString(to, text); err != nil {
			return err
		}
		var answer [1]byte
		if _, err := io.ReadFull(from, answer[:]); err != nil {
			return err
		}
		if answer[0] != 0 {
			said, _ := io.ReadAll(from) // the answer is the error
			return fmt.Errorf("scp: %s", said)
		}
	}
	return nil
}

// putHTTP sends a file. Nil is the receipt.
func (w *waysIn) putHTTP(name, body string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, w.http+"/in/acme/"+name,
		strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return err
}

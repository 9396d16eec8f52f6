package worker

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/outbox"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

const (
	// probeName is the file that the doctor asks the server for.
	probeName = "tftpsql-doctor"
	// probeLimit is how long an answer may take on one machine, with a repeat of the request.
	probeLimit = 2 * time.Second
	// tftpPort is where devices send to.
	tftpPort = 69
)

// outward returns the addresses from which this machine reaches others. It sends nothing: a UDP
// socket only looks for the way.
func outward() (list []netip.Addr) {
	for _, documented := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
		conn, err := net.Dial("udp", documented)
		if err != nil {
			continue
		}
		if at, ok := conn.LocalAddr().(*net.UDPAddr); ok && !at.IP.IsLoopback() {
			list = append(list, at.AddrPort().Addr().Unmap())
		}
		_ = conn.Close()
	}
	return list
}

// hosts are the addresses at which the server should answer.
func (d *Doctor) hosts() []string {
	host := strings.Trim(d.Host, "[]")
	at, err := netip.ParseAddr(host)
	if host != "" && (err != nil || !at.IsUnspecified()) {
		return []string{host}
	}
	list := []string{"127.0.0.1"}
	for _, own := range outward() {
		if host != "0.0.0.0" || own.Is4() {
			list = append(list, own.String())
		}
	}
	return list
}

// port asks the server for a file that isn't there: its ERROR shows that the way works. It returns
// the port at which it answers, TFTP_PORT where it doesn't.
func (d *Doctor) port(ctx context.Context) config.Port {
	ports := []config.Port{d.Port}
	if d.Port != tftpPort { // systemd's socket, or a container's, may have it
		ports = append(ports, tftpPort)
	}
	hosts := d.hosts()
	for _, port := range ports {
		var at, silent []string
		for _, p := range probeAll(ctx, port, hosts) {
			switch {
			case p.other != "":
				d.say("port", Failing, "stop it, or choose another port with TFTP_PORT",
					"another TFTP server answers at %s: %q", p.address, p.other)
				return port
			case p.err != nil:
				silent = append(silent, p.address)
			default:
				at = append(at, p.address)
			}
		}
		answers := strings.Join(at, " and ")
		switch {
		case len(at) == 0:
			continue
		case len(silent) > 0:
			d.say("port", Warning, "look at TFTP_HOST, and at this machine's firewall",
				"the server answers at %s, and not at %s", answers,
				strings.Join(silent, " and "))
		case port != tftpPort:
			d.say("port", Warning, "start it with -p 69, or redirect port 69 to it",
				"the server answers at %s, and devices send to port 69", answers)
		default:
			d.say("port", OK, "", "the server answers at %s", answers)
		}
		return port
	}
	d.unanswered()
	return d.Port
}

// A probed is an address where the doctor has asked for a file.
type probed struct {
	address string
	other   string // what another program than tftpsql says
	err     error  // why there is no answer
}

// probeAll asks at all hosts at once: one that doesn't answer takes probeLimit.
func probeAll(ctx context.Context, port config.Port, hosts []string) []probed {
	list := make([]probed, len(hosts))
	var all sync.WaitGroup
	for i, host := range hosts {
		p := &list[i]
		p.address = net.JoinHostPort(host, port.String())
		all.Go(func() { p.other, p.err = probe(ctx, p.address) })
	}
	all.Wait()
	return list
}

// probe asks a server for a file that isn't there. other is what another program than tftpsql says.
func probe(ctx context.Context, address string) (other string, err error) {
	client := tftp.Client{Patience: probeLimit}
	_, err = client.Get(ctx, address, probeName)
	var said *tftp.PeerError
	if !errors.As(err, &said) {
		return "", err
	}
	if _, ours := cures[reason(said.Message)]; !ours {
		return said.Message, nil
	}
	return "", nil
}

// unanswered says why no server answers, as far as binding its port tells.
func (d *Doctor) unanswered() {
	socket, err := listen(&d.Config, net.ListenConfig{})
	if err != nil {
		d.say("port", Failing, "", "no server answers, and its port can't be had: %v", err)
		return
	}
	_ = socket.Close()
	d.say("port", Failing, "start tftpsql, with the same settings",
		"no server answers, and UDP port %s is free", d.Port)
}

// health asks the server itself whether captures can be stored.
func (d *Doctor) health(ctx context.Context) {
	if d.HTTP.Addr == "" {
		d.say("server", NotKnown, "", "HTTP_ADDR is none, so it can't be asked")
		return
	}
	text, err := Ask(ctx, d.HTTP.Local(), "/readyz", d.TLSCert != "")
	if err != nil {
		d.say("server", Failing, "", "%s", oneLine(err))
		return
	}
	text, troubles, _ := strings.Cut(text, "\n")
	d.say("server", OK, "", "%s", text)
	for trouble := range strings.Lines(troubles) {
		d.say("server", Warning, "", "%s", strings.TrimSpace(trouble))
	}
}

// allow looks whether a device's address is served.
func (d *Doctor) allow() {
	list := cmp.Or(d.Allow.String(), "only this machine")
	sources := outward()
	if d.Source.IsValid() {
		sources = []netip.Addr{d.Source}
	}
	for _, source := range sources {
		if d.Allow.Contains(source) {
			continue
		}
		state, whose := Warning, ", this machine's own address,"
		if d.Source.IsValid() {
			state, whose = Failing, ""
		}
		d.say("allow", state, "TFTP_ALLOW="+wider(d.Allow, source)+" serves it too",
			"%s%s is not served (TFTP_ALLOW is %s)", source, whose, list)
		return
	}
	if d.Allow.String() == "" {
		d.say("allow", Failing, "set it to the networks of the devices", "TFTP_ALLOW is empty: "+
			"no device is served")
		return
	}
	d.say("allow", OK, "", "served are %s", list)
}

// certificateLeft is how long before its end a certificate is to be renewed: those who renew do so
// a month before, and two weeks are left to notice that it has failed.
const certificateLeft = 14 * config.Day

func (d *Doctor) certificate() {
	if d.TLSCert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(d.TLSCert, d.TLSKey)
	if err != nil {
		d.say("tls", Failing, "", "TLS_CERT, TLS_KEY: %v", err)
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		d.say("tls", Failing, "", "TLS_CERT: %v", err)
		return
	}
	ends := store.LocalTime(leaf.NotAfter)
	page, err := url.Parse(d.BaseURL.String())
	switch left := time.Until(leaf.NotAfter); {
	case left < 0:
		d.say("tls", Failing, "renew it", "the certificate has ended at %s", ends)
	case err == nil && page.Hostname() != "" && leaf.VerifyHostname(page.Hostname()) != nil:
		d.say("tls", Failing, "get one for that name, or mend BASE_URL",
			"the certificate is not for %s, the name of BASE_URL", page.Hostname())
	case left < certificateLeft:
		d.say("tls", Warning, "renew it", "the certificate ends at %s", ends)
	default:
		d.say("tls", OK, "", "the certificate lasts until %s", ends)
	}
}

// ssh looks whether something speaks SSH at SSH_ADDR.
func (d *Doctor) ssh(ctx context.Context) {
	if d.SSH == "" {
		return
	}
	address := config.HTTPAddr{Addr: d.SSH.String()}.Local()
	dialer := net.Dialer{Timeout: probeLimit}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		d.say("ssh", Failing, "start tftpsql, with the same SSH_ADDR", "%v", err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(probeLimit)) // else the read says so
	line, err := bufio.NewReaderSize(conn, 256).ReadSlice('\n')
	if err != nil || !strings.HasPrefix(string(line), "SSH-2.0-") {
		d.say("ssh", Failing, "look at what has the port", "what answers at %s speaks no SSH",
			address)
		return
	}
	d.say("ssh", OK, "", "the server answers at %s", address)
}

// channels looks whether alarms reach their receivers.
func (d *Doctor) channels(ctx context.Context) {
	o, err := AlarmOptions(d.Config, d.Version)
	if err != nil {
		d.say("alarms", Failing, "", "%v", err)
	}
	if d.store == nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	list, err := d.store.Channels(limited)
	switch {
	case err != nil:
		d.say("alarms", NotKnown, "", "%s", oneLine(err))
		return
	case len(list) == 0:
		d.say("alarms", Warning, "tftpsql alarm add noc mailto:noc@example.net",
			"nobody is told of silent devices")
		return
	}
	unreached := make([]error, len(list))
	var all sync.WaitGroup
	for i, c := range list {
		all.Go(func() { unreached[i] = reach(ctx, c, o) })
	}
	all.Wait()
	for i, c := range list {
		try := "tftpsql alarm test " + strconv.Quote(c.Name)
		switch state := outbox.State(c, time.Now()); {
		case c.Disabled != "":
			d.say("alarms", Failing, "tftpsql alarm pause --for 0 turns it on again",
				"%s is %s", c.Name, state)
		case unreached[i] != nil:
			d.say("alarms", Failing, try, "%s: %v", c.Name, unreached[i])
		case c.Failed.After(c.OK):
			d.say("alarms", Failing, try, "%s has failed at %s: %s", c.Name,
				store.LocalTime(c.Failed), c.Error)
		case c.Paused.After(time.Now()):
			d.say("alarms", Warning, "", "%s is %s", c.Name, state)
		default:
			d.say("alarms", OK, "", "%s can be reached, at %s", c.Name, alarm.Mask(c.URL))
		}
	}
}

// reach returns why a channel's receiver can't be reached, or nil.
func reach(ctx context.Context, c store.Channel, o alarm.Options) error {
	o.Secret = c.Secret
	channel, err := alarm.Parse(c.URL, o)
	if err != nil {
		return err
	}
	if err := channel.Reach(ctx); err != nil {
		return fmt.Errorf("it can't be reached: %w", err)
	}
	return nil
}

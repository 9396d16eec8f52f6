// Package config is every setting, with its default, its bounds and its words: read from the
// environment and from flags.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/tftpsql/tftpsql/tftp"
)

// Config is every setting: variables of the environment, and flags, which override them. A tag
// flag:"port,p,old-name" is a flag's name, its shorthand and its other names; on says which
// commands have it. py3tftp's flags have py3tftp's names.
type Config struct {
	Database       string   `env:"DATABASE_URL" flag:"database" on:"all"`
	DirectDatabase string   `env:"DATABASE_DIRECT_URL"`
	Migrate        Migrate  `env:"MIGRATE" flag:"migrate" on:"serve"`
	Spool          string   `env:"SPOOL" flag:"spool" on:"all"`
	MinFree        MinFree  `env:"MIN_FREE" flag:"min-free" on:"serve"`
	Host           string   `env:"TFTP_HOST" flag:"host" on:"serve"`
	Port           Port     `env:"TFTP_PORT" flag:"port,p" on:"serve"`
	AckTimeout     Duration `env:"TFTP_ACK_TIMEOUT" flag:"ack-timeout" on:"serve"`
	Timeout        Duration `env:"TFTP_TIMEOUT" flag:"timeout,,conn-timeout" on:"serve"`
	Shards         Count    `env:"TFTP_SHARDS" flag:"shards" on:"serve"`
	Drain          Duration `env:"TFTP_DRAIN" flag:"drain" on:"serve"`
	MaxBlksize     Count    `env:"TFTP_MAX_BLKSIZE" flag:"max-blksize" on:"serve"`
	MaxWindowsize  Count    `env:"TFTP_MAX_WINDOWSIZE" flag:"max-windowsize" on:"serve"`
	MaxSize        Size     `env:"TFTP_MAX_SIZE" flag:"max-size" on:"serve"`
	Memory         Size     `env:"TFTP_MEMORY" flag:"memory" on:"serve"`
	Allow          Allow    `env:"TFTP_ALLOW" flag:"allow" on:"serve"`
	Sites          Sites    `env:"TFTP_SITES" flag:"sites" on:"serve"`
	Read           Read     `env:"TFTP_READ" flag:"read" on:"serve"`
	Logs           Patterns `env:"TFTP_LOGS" flag:"logs" on:"serve"`
	WriteOnce      Switch   `env:"TFTP_WRITE_ONCE" flag:"write-once" on:"serve"`
	KeepChanged    Age      `env:"KEEP_CHANGED"`
	KeepUnchanged  Age      `env:"KEEP_UNCHANGED"`
	Redact         Switch   `env:"REDACT" flag:"redact" on:"print"`
	HTTP           HTTPAddr `env:"HTTP_ADDR" flag:"http" on:"serve,healthcheck"`
	Page           Page     `env:"PAGE"`
	BaseURL        BaseURL  `env:"BASE_URL"`
	TLSCert        string   `env:"TLS_CERT"`
	TLSKey         string   `env:"TLS_KEY"`
	TrustedProxies Prefixes `env:"TRUSTED_PROXIES"`
	AuthHeader     string   `env:"AUTH_HEADER"`
	OIDCIssuer     Issuer   `env:"OIDC_ISSUER"`
	OIDCClientID   string   `env:"OIDC_CLIENT_ID"`
	OIDCSecret     Secret   `env:"OIDC_CLIENT_SECRET"`
	OIDCClaim      string   `env:"OIDC_CLAIM"`
	OIDCRoles      Grants   `env:"OIDC_ROLES"`
	SSH            SSHAddr  `env:"SSH_ADDR"`
	SSHLegacy      Switch   `env:"SSH_LEGACY"`
	SMTP           Secret   `env:"SMTP_URL"`
	MailFrom       string   `env:"MAIL_FROM"`
	AlarmPrivate   Switch   `env:"ALARM_PRIVATE"`
	Heartbeat      Secret   `env:"HEARTBEAT_URL"`
	LogFile        string   `env:"LOG_FILE" flag:"file-log,l" on:"serve"`
	LogLevel       Level    `env:"LOG_LEVEL"`
	LogFormat      Format   `env:"LOG_FORMAT"`

	Verbose bool // -v
}

// descriptions say what each setting is, by its variable.
var descriptions = map[string]string{
	"DATABASE_URL": "where captures are kept: sqlite:PATH or " +
		"postgres://USER:PASSWORD@HOST/DATABASE",
	"DATABASE_DIRECT_URL": "PostgreSQL's own address for migrations, where DATABASE_URL goes " +
		"through PgBouncer",
	"MIGRATE": "auto brings the schema up to date at start; off only checks it",
	"SPOOL":   "file that keeps captures while PostgreSQL is away",
	"MIN_FREE": "free disk space below which uploads are refused (SQLite, spool); 0 " +
		"for none",
	"TFTP_HOST":           "address to listen on; empty for all, IPv4 and IPv6",
	"TFTP_PORT":           "UDP port; devices speak to 69, which needs a privilege",
	"TFTP_ACK_TIMEOUT":    "first repeat of an unanswered packet; a bare number is seconds",
	"TFTP_TIMEOUT":        "silence after which a transfer is given up",
	"TFTP_SHARDS":         "sockets on the port, each served by a core of its own; Linux, 1 to 64",
	"TFTP_DRAIN":          "how long running transfers go on after SIGTERM",
	"TFTP_MAX_BLKSIZE":    "largest block granted, bytes, 8 to 65464",
	"TFTP_MAX_WINDOWSIZE": "largest window granted, blocks, 1 to 65535",
	"TFTP_MAX_SIZE":       "largest upload",
	"TFTP_MEMORY": "all bodies in flight together; half of the memory (of the cgroup) if " +
		"unset",
	"TFTP_ALLOW": "sources served besides loopback: prefixes, addresses, private, any",
	"TFTP_SITES": "sites by source: acme=203.0.113.0/29,globex=10.2.0.0/16",
	"TFTP_READ": "what may be fetched: none, published, or own (that, and what the " +
		"same address sent by TFTP)",
	"TFTP_LOGS": "files that are no configurations, by pattern: kept, but never a device, such " +
		"as *.log,tech-support*",
	"TFTP_WRITE_ONCE": "refuse a file name that was stored before with other bytes, as " +
		"py3tftp does; not for backups",
	"KEEP_CHANGED":   "how long a version is kept after another has replaced it: 2y, 90d, 12w",
	"KEEP_UNCHANGED": "how long captures without a change are kept",
	"REDACT":         "show, diff, blame, search and spool show hide secrets",
	"HTTP_ADDR":      "address of the page, /healthz, /readyz and /metrics; empty or none for none",
	"PAGE": "auto serves the page to this machine alone; on to others too, by HTTPS; off " +
		"nowhere",
	"BASE_URL": "the page's address as browsers have it, such as https://backup.example.net",
	"TLS_CERT": "file with the certificate, and what it is signed by, for HTTPS on HTTP_ADDR",
	"TLS_KEY":  "file with the certificate's key",
	"TRUSTED_PROXIES": "reverse proxies that are believed X-Forwarded-For, X-Forwarded-Proto " +
		"and AUTH_HEADER: prefixes, addresses",
	"AUTH_HEADER": "header in which a trusted proxy names the user, such as Remote-User",
	"OIDC_ISSUER": "provider of OpenID Connect where people log in, such as " +
		"https://login.example.net/realms/net",
	"OIDC_CLIENT_ID":     "the provider's name for this page",
	"OIDC_CLIENT_SECRET": "what proves this page to the provider; never shown",
	"OIDC_CLAIM": "the provider's claim that OIDC_ROLES goes by; dots lead into it, as in " +
		"realm_access.roles",
	"OIDC_ROLES": "role, and sites, by value of the claim, the first that fits: " +
		"admins=admin,acme-it=viewer@acme+globex",
	"SSH_ADDR":   "TCP address for uploads by SFTP and SCP, such as :2022; none if unset",
	"SSH_LEGACY": "admit the weak algorithms of devices of before 2015",
	"SMTP_URL":   "mail server for alarms: smtp://USER:PASSWORD@HOST:587, or smtps://",
	"MAIL_FROM":  "sender of alarms by mail",
	"ALARM_PRIVATE": "let alarms go to receivers on this machine and its links, and by http " +
		"without TLS",
	"HEARTBEAT_URL": "address that is fetched every five minutes while captures can be stored",
	"LOG_FILE":      "append the log to this file instead of stderr",
	"LOG_LEVEL":     "debug, info, warn or error; -v is debug",
	"LOG_FORMAT":    "text or json",
}

// Default returns the settings of a program that was told nothing.
func Default() Config {
	return Config{
		Database: "sqlite:tftpsql.db", Migrate: "auto", Port: 9069, Shards: 1,
		AckTimeout: Duration(500 * time.Millisecond), Timeout: Duration(25 * time.Second),
		Drain:      Duration(8 * time.Second),
		MaxBlksize: tftp.MaxBlksize, MaxWindowsize: tftp.MaxWindowsize,
		MaxSize: 64 << 20, Memory: max(Size(defaultMemory()), Size(64<<20).grown()),
		Page: "auto", OIDCClaim: "groups",
		Allow: defaultAllow(), Read: "own", HTTP: HTTPAddr{Addr: "127.0.0.1:9080"},
		LogLevel: Level(slog.LevelInfo), LogFormat: "text",
	}
}

// Load reads the settings from an environment of "NAME=value". An empty variable is one that is not
// set, but for HTTP_ADDR, where it means none.
func Load(environ []string) (Config, error) {
	c := Default()
	vars := env.ToMap(environ)
	if v, ok := vars["HTTP_ADDR"]; ok && v == "" {
		vars["HTTP_ADDR"] = "none"
	}
	for name, v := range vars {
		if v == "" {
			delete(vars, name)
		}
	}
	if vars["DATABASE_URL"] == "" {
		var seed seedDatabase
		if err := env.ParseWithOptions(&seed, env.Options{Environment: vars}); err != nil {
			return c, variableError(err)
		}
		if u := seed.url(); u != "" {
			c.Database = u
		}
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: vars}); err != nil {
		return c, variableError(err)
	}
	return c, nil
}

// variableError makes one line of what package env says, with the variable's name.
func variableError(err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) || len(all.Errors) == 0 {
		return err
	}
	var parse env.ParseError
	if !errors.As(all.Errors[0], &parse) {
		return all.Errors[0]
	}
	name := parse.Name
	for _, s := range Settings() {
		if s.field == parse.Name {
			name = s.Env
		}
	}
	return fmt.Errorf("%s: %w", name, parse.Err)
}

// maxShards is more than any machine uses: more shards than cores gain nothing, and each takes 8
// MiB of addresses.
const maxShards = 64

// Check returns an error where settings are out of bounds or don't go together, with what to set.
func (c *Config) Check() error {
	switch {
	case c.MaxBlksize < 8 || c.MaxBlksize > tftp.MaxBlksize:
		return fmt.Errorf("TFTP_MAX_BLKSIZE (--max-blksize) is %d: it must be 8 to %d",
			c.MaxBlksize, tftp.MaxBlksize)
	case c.MaxWindowsize < 1 || c.MaxWindowsize > tftp.MaxWindowsize:
		return fmt.Errorf("TFTP_MAX_WINDOWSIZE (--max-windowsize) is %d: it must be 1 to %d",
			c.MaxWindowsize, tftp.MaxWindowsize)
	case c.Shards < 1 || c.Shards > maxShards:
		return fmt.Errorf("TFTP_SHARDS (--shards) is %d: it must be 1 to %d", c.Shards, maxShards)
	case c.Shards > 1 && runtime.GOOS != "linux":
		return errors.New(
			"TFTP_SHARDS (--shards) must be 1: only Linux spreads packets over several sockets")
	case c.MaxSize == 0:
		return errors.New("TFTP_MAX_SIZE (--max-size) must be more than 0")
	case c.AckTimeout <= 0:
		return errors.New("TFTP_ACK_TIMEOUT (--ack-timeout) must be more than 0")
	case c.Timeout <= c.AckTimeout:
		return fmt.Errorf(
			"TFTP_TIMEOUT (--timeout) is %s: it must be more than TFTP_ACK_TIMEOUT, %s", c.Timeout,
			c.AckTimeout)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("TLS_CERT and TLS_KEY go together: set both, or none")
	case c.Memory/Size(c.Shards) < c.MaxSize.grown():
		return fmt.Errorf("TFTP_MEMORY (--memory) is %s: one upload of TFTP_MAX_SIZE takes up to "+
			"%s, and each of TFTP_SHARDS needs as much",
			c.Memory, c.MaxSize.grown())
	}
	return c.checkLogin()
}

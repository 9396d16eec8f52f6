package config

import (
	"cmp"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Variable returns the value of a variable of an environment of "NAME=value", "" where it is not
// set.
func Variable(environ []string, name string) string {
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// seedDatabase are py3tftpsql's variables, which make a PostgreSQL URL when DATABASE_URL is unset.
type seedDatabase struct {
	Host     string `env:"DATABASE_HOSTNAME"`
	Port     string `env:"DATABASE_PORT"`
	Name     string `env:"DATABASE_NAME"`
	User     string `env:"DATABASE_USERNAME"`
	Password string `env:"DATABASE_PASSWORD"`
}

func (s seedDatabase) url() string {
	if s.Host == "" && s.Name == "" {
		return ""
	}
	host := strings.Trim(s.Host, "[]")
	switch {
	case host == "":
		host = "localhost"
	case strings.HasPrefix(host, "/"): // the folder of a Unix socket
		return postgresURL(s.User, s.Password, "", s.Name) + "?host=" + url.QueryEscape(host) +
			"&port=" + url.QueryEscape(cmp.Or(s.Port, "5432"))
	}
	host = net.JoinHostPort(host, cmp.Or(s.Port, "5432"))
	return postgresURL(s.User, s.Password, host, s.Name)
}

func postgresURL(user, password, host, database string) string {
	u := url.URL{Scheme: "postgres", Host: host, Path: "/" + database}
	switch {
	case password != "":
		u.User = url.UserPassword(user, password)
	case user != "":
		u.User = url.User(user)
	}
	return u.String()
}

// defaultMemory returns half of what this process may use, bytes: of the cgroup's limit where there
// is one, else of the machine's memory; 512 MiB where neither can be read.
func defaultMemory() int64 {
	total := int64(1 << 30)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 && f[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				total = kib << 10
			}
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(file); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil &&
				n > 0 {
				total = min(total, n)
			}
		}
	}
	return total / 2
}

// Misspelt returns the names of variables that look like settings and are none.
func Misspelt(environ []string) (names []string) {
	list := Settings()
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		looks := strings.HasPrefix(name, "TFTP_") || strings.HasPrefix(name, "KEEP_") ||
			strings.HasPrefix(name, "OIDC_")
		if looks && !slices.ContainsFunc(list, func(s Setting) bool { return s.Env == name }) {
			names = append(names, name)
		}
	}
	return names
}

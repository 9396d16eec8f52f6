package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tftpsql/tftpsql/pgtest"
)

// debian finds a program of a Debian package that is installed, or that make deps has unpacked.
func debian(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = filepath.Abs(".deps/usr/bin/" + name); err == nil {
			_, err = os.Stat(path)
		}
	}
	if err != nil {
		pgtest.Missing(t, err)
	}
	return path
}

// TestAlerts: promtool understands the rules, and they fire when they shall.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool := debian(t, "promtool")
	for _, args := range [][]string{{"check", "config", "prometheus.yml"},
		{"test", "rules", "alerts_test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "deploy/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}

var metricName = regexp.MustCompile(`(tftpsql|process)_[a-z_]+`)

// expressions are what the dashboard and the alerts ask Prometheus for.
func expressions(t *testing.T) (list []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "deploy/grafana/tftpsql.json")),
		&dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$job", ".*",
		"$instance", ".*")
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			if n := len(metricName.FindAllString(target.Expr, -1)); n == 0 ||
				n != strings.Count(target.Expr, `{job=~"$job",instance=~"$instance"`) {
				t.Errorf("panel %s shows others than the chosen workers: %s", p.Title, target.Expr)
			}
			list = append(list, variables.Replace(target.Expr))
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "deploy/prometheus/alerts.yml")),
		&rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			list = append(list, r.Expr)
		}
	}
	return list
}

// TestPrometheus: a real Prometheus scrapes a worker; what the dashboard and the alerts ask it for
// is there, and all that others may ask for has the names, types and texts that it always had.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	program := debian(t, "prometheus")
	p := start(t, databases["postgres"](t), "--http", "127.0.0.1:0", "--spool",
		filepath.Join(t.TempDir(), "spool.db"))
	p.put(t, "fw1.conf", fortigate("fw1", "1"))
	_, text := get(t, p.page(t)+"/metrics")
	// until the devices were counted; it can't be waited for
	for limit := time.Now().Add(time.Minute); !strings.Contains(text, "\ntftpsql_devices ") &&
		time.Now().Before(limit); _, text = get(t, p.page(t)+"/metrics") {
		time.Sleep(100 * time.Millisecond)
	}
	about := strings.Join(regexp.MustCompile(`(?m)^# .* tftpsql_.*\n`).FindAllString(text, -1), "")
	if want := readFile(t, "cli/testdata/metrics.txt"); about != want {
		t.Errorf("what there is to tell has changed; it is\n%s", about)
	}
	lint := exec.Command(debian(t, "promtool"), "check", "metrics")
	lint.Stdin = strings.NewReader(text)
	// of the library's own metrics promtool complains: they have no texts
	if out, err := lint.CombinedOutput(); strings.Contains(string(out), "tftpsql_") ||
		strings.Contains(string(out), "error") {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, expr := range expressions(t) {
		for _, metric := range metricName.FindAllString(expr, -1) {
			if !regexp.MustCompile(`(?m)^` + metric + `[{ ]`).MatchString(text) {
				t.Errorf("%s asks for %s, which the program doesn't tell", expr, metric)
			}
		}
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	// Prometheus doesn't tell which port it got, so it is told one that was free a moment ago
	l.Close()
	dir := t.TempDir()
	config := strings.NewReplacer("127.0.0.1:9080", strings.TrimPrefix(p.page(t), "http://"), "30s",
		"1s").Replace(readFile(t, "deploy/prometheus/prometheus.yml"))
	for name, text := range map[string]string{"prometheus.yml": config,
		"alerts.yml": readFile(t, "deploy/prometheus/alerts.yml")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	log := newLog()
	cmd := exec.CommandContext(ctx, program, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}()
	log.wait(t, `Server is ready to receive web requests`)
	query := func(expr string) (result []any) {
		t.Helper()
		r, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var answer struct {
			Status, Error string
			Data          struct{ Result []any }
		}
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil ||
			answer.Status != "success" {
			t.Errorf("%s: %v %+v", expr, err, answer)
		}
		return answer.Data.Result
	}
	// until it has scraped; it can't be waited for
	for len(query(`tftpsql_transfers_total{job="tftpsql",op="write",outcome="ok"} == 1`)) == 0 {
		if ctx.Err() != nil {
			t.Fatalf("nothing was scraped\n%s", log)
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, expr := range expressions(t) {
		query(expr)
	}
	if got := query(`tftpsql_ready`); len(got) != 1 ||
		!strings.HasSuffix(fmt.Sprint(got[0]), `1]]`) {
		t.Errorf("tftpsql_ready is %v", got)
	}
	r, err := http.Get("http://" + address + "/api/v1/rules")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var rules struct {
		Data struct {
			Groups []struct{ Rules []struct{ Name string } }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&rules); err != nil || len(rules.Data.Groups) != 1 ||
		len(rules.Data.Groups[0].Rules) != 8 {
		t.Errorf("rules %+v, %v", rules, err)
	}
}

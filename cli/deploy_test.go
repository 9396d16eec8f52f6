package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/pgtest"
)

// What is shipped is held against what the program takes: variables that exist, values that are
// accepted, ports that agree.

// image is what the Dockerfile says of the image.
type image struct {
	env     map[string]string
	stages  []string
	expose  []string
	volume  string
	entry   string
	user    string
	command string
}

func dockerfile(t *testing.T) image {
	t.Helper()
	i := image{env: map[string]string{}}
	for line := range strings.Lines(readFile(t, "Dockerfile")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "FROM":
			if _, name, ok := strings.Cut(rest, " AS "); ok {
				i.stages = append(i.stages, name)
			}
		case "ENV":
			for f := range strings.FieldsSeq(rest) {
				k, v, _ := strings.Cut(f, "=")
				i.env[k] = v
			}
		case "EXPOSE":
			i.expose = strings.Fields(rest)
		case "VOLUME":
			i.volume = rest
		case "USER":
			i.user = rest
		case "ENTRYPOINT":
			i.entry = rest
		case "CMD":
			i.command = rest
		}
	}
	return i
}

var seedVariables = []string{"DATABASE_HOSTNAME", "DATABASE_PORT", "DATABASE_NAME",
	"DATABASE_USERNAME", "DATABASE_PASSWORD"}

// config is the image's settings with others over them, each of which must be one.
func (i image) config(t *testing.T, over map[string]string) config.Config {
	t.Helper()
	var environ []string
	for _, vars := range []map[string]string{i.env, over} {
		for name, value := range vars {
			if !slices.ContainsFunc(config.Settings(),
				func(s config.Setting) bool { return s.Env == name }) &&
				!slices.Contains(seedVariables, name) {
				t.Errorf("%s is no setting", name)
			}
			environ = append(environ, name+"="+value)
		}
	}
	// Later variables win, as they do where a container is started.
	merged := map[string]string{}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if _, ok := over[name]; ok {
			value = over[name]
		}
		merged[name] = value
	}
	environ = environ[:0]
	for name, value := range merged {
		environ = append(environ, name+"="+value)
	}
	c, err := config.Load(environ)
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		t.Error(err)
	}
	return c
}

func TestDockerfile(t *testing.T) {
	i := dockerfile(t)
	c := i.config(t, nil)
	if c.Port != 69 || c.HTTP.String() != ":9080" || c.Read != "published" ||
		i.user != "65532:65532" || i.volume != "/data" ||
		fmt.Sprint(i.expose) != "[69/udp 9080/tcp]" || i.entry != `["/tftpsql"]` ||
		i.command != `["serve"]` {
		t.Errorf("%+v", i)
	}
}

// TestShipped: Makefile and Dockerfile build the same program, which fits into the image of 23 MB
// beside what it trusts (the page takes 4 of them, since html/template keeps every method), and
// stores and reads where PostgreSQL isn't asked for the types of parameters.
func TestShipped(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	makefile := readFile(t, "Makefile")
	one := func(expr string) string {
		t.Helper()
		m := regexp.MustCompile(expr).FindAllStringSubmatch(makefile, -1)
		if len(m) != 1 {
			t.Fatalf("the Makefile has %q", m)
		}
		return m[0][1]
	}
	build := strings.NewReplacer("$(TAGS)", one(`(?m)^TAGS := (.*)$`), "$(VERSION)",
		"${VERSION}").Replace(one(`(?m)^BUILD = (.*)$`))
	if !strings.Contains(readFile(t, "Dockerfile"), "    "+build+" -o /out/tftpsql . \\\n") {
		t.Errorf("the Dockerfile builds otherwise than the Makefile, which says %s", build)
	}
	file := filepath.Join(t.TempDir(), "tftpsql")
	cmd := exec.Command(sh, "-c", build+` -o "$OUT" .`)
	cmd.Env = append(os.Environ(), "VERSION=0.0.0-dev.0123456", "GOOS=linux", "GOARCH=amd64",
		"OUT="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	const limit, trusted = 23_280_000, 256 << 10 // Debian's ca-certificates has 220 KB
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size()+trusted > limit {
		t.Errorf("the program has %d bytes, and %d in all are left", info.Size(), limit-trusted)
	}
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		t.Skip("not this machine's program")
	}
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec",
		"simple_protocol"} {
		dir, url := t.TempDir(), databases["postgres"](t)+"&default_query_exec_mode="+mode
		write(t, dir+"/acme/fw1.conf", gate("fw1", "a", "web", "1"), time.Time{})
		for _, step := range [][]string{{"", "migrate", "up"},
			{"imported: 1 capture of 1 device", "import", dir},
			{"", "device", "expect", "fw1", "36h"}, {"set hostname \"fw1\"", "show", "acme/fw1"}} {
			cmd := exec.Command(file, step[1:]...)
			cmd.Env = []string{"DATABASE_URL=" + url}
			if out, err := cmd.CombinedOutput(); err != nil ||
				!strings.Contains(string(out), step[0]) {
				t.Errorf("%s: %q: %v\n%s", mode, step[1:], err, out)
			}
		}
	}
}

func parseYAML(t *testing.T, file string, to ...any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(readFile(t, file)))
	for _, v := range to {
		if err := d.Decode(v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Fatalf("%s goes on: %v", file, err)
	}
}

func TestCompose(t *testing.T) {
	type service struct {
		Image, Build string
		Ports        []string
		Environment  map[string]string
		DependsOn    map[string]struct{ Condition string } `yaml:"depends_on"`
		ReadOnly     bool                                  `yaml:"read_only"`
		CapDrop      []string                              `yaml:"cap_drop"`
		StopGrace    config.Duration                       `yaml:"stop_grace_period"`
		Volumes      []string
		Healthcheck  struct{ Test []string }
	}
	var file struct {
		Services map[string]service
		Volumes  map[string]any
	}
	parseYAML(t, "compose.yaml", &file)
	i, worker, database := dockerfile(t), file.Services["tftpsql"], file.Services["postgres"]
	const odd = "p@ss/w#rd?%:&" // as an operator's .env may have it
	reference := regexp.MustCompile(`\$\{([A-Z_]+):-([^}]*)\}`)
	for _, vars := range []map[string]string{worker.Environment, database.Environment} {
		for name, value := range vars {
			vars[name] = strings.NewReplacer("${POSTGRES_PASSWORD:-tftpsql}", odd).Replace(value)
			vars[name] = reference.ReplaceAllString(vars[name], "$2")
		}
	}
	c := i.config(t, worker.Environment)
	u, err := url.Parse(c.Database)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if e := database.Environment; u.Hostname() != "postgres" ||
		u.User.Username() != e["POSTGRES_USER"] || password != odd ||
		e["POSTGRES_PASSWORD"] != odd || u.Path != "/"+e["POSTGRES_DB"] {
		t.Errorf("%s is not the database that %v makes", c.Database, e)
	}
	want := []string{fmt.Sprintf("0.0.0.0:69:%d/udp", c.Port),
		"127.0.0.1:9080:" + strings.TrimPrefix(c.HTTP.String(), ":") + "/tcp"}
	if !slices.Equal(worker.Ports, want) {
		t.Errorf("ports %v, want %v", worker.Ports, want)
	}
	if worker.DependsOn["postgres"].Condition != "service_healthy" ||
		len(database.Healthcheck.Test) == 0 || c.Migrate != "auto" {
		t.Error("the worker doesn't wait for its database, or makes no schema")
	}
	if !worker.ReadOnly || !slices.Equal(worker.CapDrop, []string{"ALL"}) ||
		worker.StopGrace <= c.Drain || !slices.Equal(worker.Healthcheck.Test,
		[]string{"CMD", "/tftpsql", "healthcheck"}) {
		t.Errorf("%+v", worker)
	}
	for _, v := range append(worker.Volumes, database.Volumes...) {
		name, _, _ := strings.Cut(v, ":")
		if _, ok := file.Volumes[name]; !ok {
			t.Errorf("volume %s is not declared", name)
		}
	}
}

func TestFly(t *testing.T) {
	var file struct {
		App         string
		Region      string `toml:"primary_region"`
		KillSignal  string `toml:"kill_signal"`
		KillTimeout int    `toml:"kill_timeout"`
		Build       struct {
			Dockerfile string
			Target     string `toml:"build-target"`
		}
		Env    map[string]string
		Deploy struct {
			Strategy string
			Release  string `toml:"release_command"`
		}
		Mounts   []struct{ Source, Destination string }
		Services []struct {
			Protocol string
			Internal int    `toml:"internal_port"`
			Stop     string `toml:"auto_stop_machines"`
			Start    bool   `toml:"auto_start_machines"`
			Least    int    `toml:"min_machines_running"`
			Ports    []struct{ Port int }
		}
		Checks map[string]struct {
			Type, Method, Path, Interval, Timeout string
			Port                                  int
			Grace                                 string `toml:"grace_period"`
		}
	}
	meta, err := toml.DecodeFile("fly.toml", &file)
	if err != nil || len(meta.Undecoded()) > 0 {
		t.Fatalf("%v, and not known here: %v", err, meta.Undecoded())
	}
	i := dockerfile(t)
	c := i.config(t, file.Env)
	if len(file.Services) != 1 || len(file.Services[0].Ports) != 1 {
		t.Fatalf("services %+v", file.Services)
	}
	s := file.Services[0]
	if s.Protocol != "udp" || s.Internal != int(c.Port) || s.Ports[0].Port != 69 ||
		s.Internal != s.Ports[0].Port || s.Stop != "off" || s.Start ||
		c.Host != "fly-global-services" {
		t.Errorf("%+v, TFTP_HOST %s, TFTP_PORT %d", s, c.Host, c.Port)
	}
	for name, check := range file.Checks {
		if ":"+strconv.Itoa(check.Port) != c.HTTP.String() || check.Path != "/readyz" {
			t.Errorf("check %s asks %d%s, and the program answers at %s", name, check.Port,
				check.Path, c.HTTP)
		}
	}
	if file.KillSignal != "SIGTERM" || time.Duration(c.Drain) >= time.Duration(
		file.KillTimeout)*time.Second {
		t.Errorf("%s after %d s, and draining takes %s", file.KillSignal, file.KillTimeout, c.Drain)
	}
	const room = 1300 - 28 - 4 // what Fly carries, without the headers of IP, UDP and TFTP
	if c.MaxBlksize > room || c.Read != "published" || c.Allow.String() == "any" {
		t.Errorf("blksize %d, read %s, allow %s", c.MaxBlksize, c.Read, c.Allow)
	}
	if len(file.Mounts) != 1 || file.Mounts[0].Destination != i.volume ||
		file.Deploy.Strategy != "rolling" || !slices.Contains(i.stages, file.Build.Target) {
		t.Errorf("mounts %+v, deploy %+v, build %+v", file.Mounts, file.Deploy, file.Build)
	}
	if status, out, errs := do(t, []string{"DATABASE_URL=" + databases["sqlite"](t)},
		strings.Fields(file.Deploy.Release)...); status != 0 {
		t.Errorf("release_command: %d %s %s", status, out, errs)
	}
}

func TestKubernetes(t *testing.T) {
	type probe struct {
		Get struct{ Path, Port string } `yaml:"httpGet"`
	}
	type port struct {
		Name string
		Port int `yaml:"containerPort"`
	}
	var deployment struct {
		Kind string
		Spec struct {
			Replicas int
			Template struct {
				Metadata struct{ Labels, Annotations map[string]string }
				Spec     struct {
					Grace      int `yaml:"terminationGracePeriodSeconds"`
					Containers []struct {
						Image           string
						Env             []struct{ Name, Value string }
						Ports           []port
						Liveness        probe `yaml:"livenessProbe"`
						Readiness       probe `yaml:"readinessProbe"`
						SecurityContext struct {
							ReadOnly bool `yaml:"readOnlyRootFilesystem"`
						} `yaml:"securityContext"`
						Mounts []struct {
							Path string `yaml:"mountPath"`
						} `yaml:"volumeMounts"`
					}
				}
			}
		}
	}
	var service struct {
		Kind string
		Spec struct {
			Traffic  string `yaml:"externalTrafficPolicy"`
			Selector map[string]string
			Ports    []struct {
				Port       int
				TargetPort string `yaml:"targetPort"`
				Protocol   string
			}
		}
	}
	parseYAML(t, "deploy/kubernetes/deployment.yaml", &deployment)
	parseYAML(t, "deploy/kubernetes/service.yaml", &service)
	var base struct {
		Resources []string
		Images    []struct{ Name string }
	}
	parseYAML(t, "deploy/kubernetes/kustomization.yaml", &base)
	pod := deployment.Spec.Template.Spec
	if deployment.Kind != "Deployment" || service.Kind != "Service" || len(pod.Containers) != 1 ||
		deployment.Spec.Replicas != 1 {
		t.Fatalf("%+v %+v", deployment, service)
	}
	container, i := pod.Containers[0], dockerfile(t)
	if !slices.Equal(base.Resources, []string{"deployment.yaml", "service.yaml"}) ||
		len(base.Images) != 1 || base.Images[0].Name != container.Image {
		t.Errorf("the base %+v has not the resources that are here, or not the image %s", base,
			container.Image)
	}
	env := map[string]string{}
	for _, e := range container.Env {
		env[e.Name] = e.Value
	}
	c := i.config(t, env)
	ports := map[string]int{}
	for _, p := range container.Ports {
		ports[p.Name] = p.Port
	}
	if ports["tftp"] != int(c.Port) || ":"+strconv.Itoa(ports["http"]) != c.HTTP.String() ||
		c.Port < 1024 {
		t.Errorf("ports %v, and the program has %s and %s", ports, c.Port, c.HTTP)
	}
	if s := service.Spec; s.Traffic != "Local" || len(s.Ports) != 1 || s.Ports[0].Port != 69 ||
		s.Ports[0].TargetPort != "tftp" || s.Ports[0].Protocol != "UDP" {
		t.Errorf("%+v", s)
	}
	if fmt.Sprint(service.Spec.Selector) != fmt.Sprint(deployment.Spec.Template.Metadata.Labels) {
		t.Errorf("%v selects no %v", service.Spec.Selector,
			deployment.Spec.Template.Metadata.Labels)
	}
	if container.Liveness.Get.Path != "/healthz" || container.Readiness.Get.Path != "/readyz" ||
		container.Liveness.Get.Port != "http" || container.Readiness.Get.Port != "http" {
		t.Errorf("probes %+v %+v", container.Liveness, container.Readiness)
	}
	if time.Duration(pod.Grace)*time.Second <= time.Duration(c.Drain) ||
		!container.SecurityContext.ReadOnly || container.Mounts[0].Path != i.volume ||
		":"+deployment.Spec.Template.Metadata.Annotations["prometheus.io/port"] != c.HTTP.String() {
		t.Errorf("%+v", pod)
	}
}

// TestUnits: systemd understands the units.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		pgtest.Missing(t, err)
	}
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"tftpsql.service", "tftpsql.socket"} {
		text := strings.ReplaceAll(readFile(t, filepath.Join("deploy/systemd", name)),
			"/usr/bin/tftpsql", os.Args[0])
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(files[len(files)-1], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("systemd-analyze",
		append([]string{"verify", "--man=no"}, files...)...).CombinedOutput(); err != nil ||
		len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

// TestDebianSettings: the package's settings are settings, and its command reads them as the unit
// does.
func TestDebianSettings(t *testing.T) {
	const file = "deploy/debian/tftpsql.env"
	vars := map[string]string{}
	for line := range strings.Lines(readFile(t, file)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok &&
			!strings.HasPrefix(name, "#") {
			vars[name] = value
		}
	}
	image{}.config(t, vars)
	if os.PathSeparator == '\\' {
		t.Skip("no shell here")
	}
	dir := t.TempDir()
	settings := filepath.Join(dir, "tftpsql.env")
	if err := os.WriteFile(settings,
		[]byte(
			"# no\nDATABASE_URL=postgres://u:p&w$HOME@h/d?a=b\nTFTP_ALLOW=\"any\"\n"+
				"TFTP_READ=none\nnot one\nA-B=1\nLOG_LEVEL=warn"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrapper := filepath.Join(dir, "tftpsql.sh")
	script := strings.NewReplacer("/etc/tftpsql/tftpsql.env", settings, "/usr/lib/tftpsql/tftpsql",
		"env").Replace(readFile(t, "deploy/debian/tftpsql.sh"))
	if err := os.WriteFile(wrapper, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", wrapper)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TFTP_READ=own"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	for _, want := range []string{"DATABASE_URL=postgres://u:p&w$HOME@h/d?a=b", "TFTP_ALLOW=any",
		"TFTP_READ=own", "LOG_LEVEL=warn"} {
		if !slices.Contains(strings.Split(string(out), "\n"), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if bytes.Contains(out, []byte("A-B")) {
		t.Error("A-B is no variable")
	}
}

// TestDebianDocs: what the package's pages lead to is in the package.
func TestDebianDocs(t *testing.T) {
	var file struct {
		Contents []struct{ Src, Dst string }
	}
	parseYAML(t, "deploy/nfpm.yaml", &file)
	const docs = "/usr/share/doc/tftpsql/"
	shipped := map[string]string{} // where a file or folder goes, and where it is from
	for _, c := range file.Contents {
		files, err := filepath.Glob(c.Src)
		if err != nil || len(files) == 0 && !strings.HasPrefix(c.Src, "dist/") {
			t.Errorf("%s: %v, %v", c.Src, files, err)
		}
		for _, file := range files {
			dst := c.Dst
			if strings.HasSuffix(dst, "/") {
				dst += filepath.Base(file)
				shipped[strings.TrimSuffix(c.Dst, "/")] = filepath.Dir(file)
			}
			shipped[dst] = file
		}
	}
	links := 0
	for dst, src := range shipped {
		if !strings.HasPrefix(dst, docs) || path.Ext(dst) != ".md" {
			continue
		}
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(
			readFile(t, src), -1) {
			links++
			if _, ok := shipped[path.Join(path.Dir(dst), m[1])]; !ok {
				t.Errorf("%s leads to %s, which is not in the package", dst, m[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("%d links", links)
	}
}

// TestDebianScripts: a package that was removed and is installed again serves again, unless
// an operator had switched it off; an upgrade changes nothing.
func TestDebianScripts(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("no shell here")
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	stub := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"),
			0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"getent", "adduser", "chown"} {
		stub(name, "")
	}
	write(t, filepath.Join(dir, "etc/tftpsql.env"), "", time.Time{})
	for _, name := range []string{"postinst", "prerm", "postrm"} {
		stub("deb."+name, strings.NewReplacer("/etc/tftpsql", dir+"/etc", "/var/lib/tftpsql",
			dir+"/var", "/run/systemd/system", dir, " -o tftpsql -g tftpsql",
			"").Replace(readFile(t, "deploy/debian/"+name)))
	}
	for _, step := range []struct {
		what, script, args string
		enabled            bool
		want               string
	}{
		{"installed", "postinst", "configure ", false, "enable start"},
		{"upgraded", "postinst", "configure 1", true, "try-restart"},
		{"removed", "prerm", "remove", true, "disable"},
		{"installed again", "postinst", "configure 1", false, "enable start"},
		{"upgraded then", "postinst", "configure 1", true, "try-restart"},
		{"removed where it was switched off", "prerm", "remove", false, "disable"},
		{"installed where it was switched off", "postinst", "configure 1", false, "try-restart"},
		{"removed to be purged", "prerm", "remove", true, "disable"},
		{"purged", "postrm", "purge", false, ""},
	} {
		enabled := "1"
		if step.enabled {
			enabled = "0"
		}
		stub("systemctl",
			`case $1 in is-enabled) exit `+enabled+`;; daemon-reload) ;; `+
				`*) echo "$1" >>`+log+`;; esac`)
		_ = os.Remove(log) // there may be none
		script, arg, _ := strings.Cut(step.args, " ")
		cmd := exec.Command("sh", filepath.Join(dir, "deb."+step.script), script, arg)
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", step.what, err, out)
		}
		did, _ := os.ReadFile(log)
		if got := strings.Join(strings.Fields(string(did)), " "); got != step.want {
			t.Errorf("%s: systemctl did %q, want %q", step.what, got, step.want)
		}
	}
	if files := tree(t, filepath.Join(dir, "etc")); len(files) != 1 {
		t.Errorf("etc has %v", files)
	}
}

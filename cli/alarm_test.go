package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tftpsql/tftpsql/pgtest"
)

// receiver is a receiver of alarms by HTTP, which keeps what came and answers as it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex // guards what follows
	bodies []string
	heads  []http.Header
	answer func(http.ResponseWriter)
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies, r.heads = append(r.bodies, string(body)), append(r.heads, q.Header)
		if r.answer != nil {
			r.answer(w)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// says makes the receiver answer with a status and a text from now on.
func (r *receiver) says(code int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = func(w http.ResponseWriter) {
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}
}

func (r *receiver) last(t *testing.T) (http.Header, string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bodies) == 0 {
		t.Fatal("nothing came")
	}
	return r.heads[len(r.heads)-1], r.bodies[len(r.bodies)-1]
}

// secretURLs are channels with what must never be shown of them.
var secretURLs = map[string]struct{ url, shown, secret string }{
	"slack": {"slack+https://hooks.slack.com/services/T0/B0/XsecretXsecretXsecret000",
		"slack+https://hooks.slack.com/***", "XsecretXsecretXsecret000"},
	"teams": {"teams+https://prod-1.westeurope.logic.azure.com/workflows/a1/triggers/manual/" +
		"paths/invoke?sig=XsecretXsecretXsecret000",
		"teams+https://prod-1.westeurope.logic.azure.com/***", "XsecretXsecretXsecret000"},
	"discord": {"discord+https://discord.com/api/webhooks/42/XsecretXsecretXsecret000",
		"discord+https://discord.com/***", "XsecretXsecretXsecret000"},
	"ntfy":   {"ntfy+https://tk_Xsecret0@ntfy.sh/noc", "ntfy+https://***@ntfy.sh/noc", "tk_X"},
	"topic":  {"ntfy+https://ntfy.sh/Xsecret0topic", "ntfy+https://ntfy.sh/***", "Xsecret0topic"},
	"gotify": {"gotify+https://Xsecret0@push.example.net", "gotify+https://***@push.", "Xsecret0"},
	"pager": {"pagerduty:Xsecret0Xsecret0Xsecret0Xsecret0",
		"pagerduty+https://events.pagerduty.com/***", "Xsecret0"},
	"hook": {"https://ada:Xsecret0@hook.example.net/in/XsecretXsecret0x?key=Xsecret1",
		"https://ada:***@hook.example.net/in/***?***", "Xsecret"},
}

// TestAlarmSecrets: what a channel's URL proves is shown by no command, not even the one that adds
// it, and a webhook's secret once.
func TestAlarmSecrets(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		said := ""
		for name, c := range secretURLs {
			out := p.must(t, "alarm", "add", name, c.url)
			if name != "hook" && strings.Contains(out, "signed") {
				t.Errorf("%s is signed: %s", name, out)
			}
			said += out
		}
		made := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]{44}`).FindAllString(said, -1)
		if len(made) != 1 {
			t.Fatalf("%d secrets were made:\n%s", len(made), said)
		}
		list := p.must(t, "alarm", "list")
		_, _, errs := p.do(t, "alarm", "add", "hook", secretURLs["hook"].url)
		_, _, odd := p.do(t, "alarm", "add", "x", secretURLs["slack"].url, "--kinds", "x")
		_, _, broken := p.do(t, "alarm", "add", "x", secretURLs["pager"].url+"%zz")
		said += list + errs + odd + broken + p.log.String()
		for name, c := range secretURLs {
			if strings.Contains(said, c.secret) {
				t.Errorf("%s is shown of %s:\n%s", c.secret, name, said)
			}
			if !strings.Contains(list, c.shown) {
				t.Errorf("%s is not shown as %s:\n%s", name, c.shown, list)
			}
		}
		if strings.Contains(list+p.log.String(), made[0]) {
			t.Errorf("the webhook's secret is shown again:\n%s", list)
		}
	})
}

// TestAlarmCalls: what add, test, pause, remove and deliveries say and end with, of mistakes too.
func TestAlarmCalls(t *testing.T) {
	p := start(t, databases["sqlite"](t))
	mail := []string{"SMTP_URL=smtp://ada:hunter22@mail.example.net"}
	const hook, noc = "https://hook.example.net/in", "mailto:noc@example.net"
	for _, c := range []struct {
		environ []string
		call    string
		status  int
		says    string // of what is printed, on stdout where the status is 0
	}{
		{nil, "alarm", 2, "alarm what? add, list, test, pause, remove"},
		{nil, "alarm add", 2, "usage: tftpsql alarm add NAME URL"},
		{nil, "alarm add noc " + noc, 0, "added noc, mailto:noc@example.net; try it: tftpsql " +
			"alarm test noc\nmail needs SMTP_URL"},
		{nil, "alarm add noc " + noc, 1, `there is a channel "noc"`},
		{nil, "alarm test noc", 2, "mail needs SMTP_URL, such as smtp://USER:PASSWORD@HOST:587, " +
			"and MAIL_FROM"},
		{mail, "alarm test noc", 2, "SMTP_URL is set and MAIL_FROM isn't"},
		{mail, "serve -p 0", 1, "SMTP_URL is set and MAIL_FROM isn't"},
		{[]string{"SMTP_URL=mail:25", "MAIL_FROM=a@b"}, "alarm test noc", 2,
			"SMTP_URL, MAIL_FROM: no mail server: write smtp://user:password@host:587"},
		{nil, "alarm add x noc@example.net", 2, "is no kind of channel: mailto, https"},
		{nil, "alarm add x exec+https://example.net", 2, `"exec+https" is no kind of channel`},
		{nil, "alarm add x mailto:noc", 2, `"noc" is no address: write noc@example.net`},
		{nil, "alarm add x http://hook.example.net/in", 2, "write https, or set ALARM_PRIVATE=1"},
		{nil, "alarm add x https://localhost/in", 2, "localhost is this machine: ALARM_PRIVATE=1"},
		{nil, "alarm add x https://127.0.0.1/in", 2, "(this machine): ALARM_PRIVATE=1 allows it"},
		{nil, "alarm add x https://[::1]/in", 2, "(this machine): ALARM_PRIVATE=1 allows it"},
		{nil, "alarm add x https://169.254.169.254/in", 2, "that is allowed (link-local)"},
		{nil, "alarm add x https://hooks.slack.com/services/T0", 2, "write slack+ before the URL"},
		{nil, "alarm add x slack+https://hooks.slack.com", 2, "copy the whole address"},
		{nil, "alarm add x pagerduty:1234", 2, "32 letters and digits"},
		{nil, "alarm add x " + noc + " --secret whsec_x", 2, "a secret signs webhooks alone"},
		{nil, "alarm add x " + hook + " --secret hunter22", 2, "whsec_ and 24 to 64 bytes"},
		{nil, "alarm add x " + hook + " --kinds changed,nosuch", 2,
			`"nosuch" is no kind of event: there are back, changed, digest`},
		{nil, "alarm add x " + hook + " --kinds test", 2, `"test" is no kind of event`},
		{nil, "alarm add x " + hook + " --quiet 22-7", 2, "write 22:00-07:00 Europe/Berlin"},
		{nil, "alarm add x\x1b[2J " + hook, 2, "all of them printable"},
		{nil, "alarm add week " + hook + " --kinds overdue,digest --site acme --site globex", 0,
			"added week, https://hook.example.net/in; try it"},
		{nil, "alarm list", 0, "overdue,digest  acme,globex  never  ok"},
		{nil, "alarm test nosuch", 1, `no channel "nosuch": tftpsql alarm list lists them`},
		{nil, "alarm pause nosuch --for 1h", 1, `no channel "nosuch"`},
		{nil, "alarm remove nosuch", 1, `no channel "nosuch"`},
		{nil, "alarm pause noc", 2, "for how long? --for 2h; --for 0 resumes"},
		{nil, "alarm pause noc --for soon", 2, "--for"},
		{nil, "alarm pause noc --for 2h", 0, "paused noc until 20"},
		{nil, "alarm list", 0, "paused until 20"},
		{nil, "alarm pause noc --for 0", 0, "resumed noc"},
		{nil, "alarm remove noc", 0, "removed the channel noc"},
		{nil, "alarm remove noc", 1, `no channel "noc"`},
		{nil, "deliveries", 0, "CHANNEL  KIND  EVENTS  STATE"},
		{nil, "deliveries now", 2, "usage"},
	} {
		status, out, errs := do(t, append([]string{"DATABASE_URL=" + p.url}, c.environ...),
			strings.Fields(c.call)...)
		if said := out + errs; status != c.status || !strings.Contains(said, c.says) ||
			strings.ContainsAny(said, "\x1b") || strings.Contains(said, "hunter22") {
			t.Errorf("tftpsql %s: %d, not %d: %q, not %q", c.call, status, c.status, said, c.says)
		}
	}
}

// TestAlarmTest: test prints the receiver's whole answer, says what it would mean for an alarm, and
// its message is signed as any receiver can verify.
func TestAlarmTest(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		start(t, url)
		r := newReceiver(t)
		environ := []string{"DATABASE_URL=" + url, "ALARM_PRIVATE=1"}
		_, out, errs := do(t, environ, "alarm", "add", "hook", r.URL+"/in")
		secret := regexp.MustCompile(`whsec_\S+=`).FindString(out)
		if secret == "" {
			t.Fatal(out, errs)
		}
		for _, c := range []struct {
			code   int
			text   string
			status int
			errs   string
		}{
			{200, "thanks\nof two lines", 0, "hook has taken it\n"},
			{503, "busy", 1, "has not taken it now, and would be tried again: answered 503"},
			{404, "no such hook", 1, "refuses it: answered 404 Not Found: no such hook"},
			{410, "left", 1, "hook is gone: answered 410"},
		} {
			r.says(c.code, c.text)
			status, out, errs := do(t, environ, "alarm", "test", "hook")
			if status != c.status || !strings.HasSuffix(out, c.text+"\n") ||
				!strings.Contains(errs, c.errs) {
				t.Errorf("%d: %d %q %q", c.code, status, out, errs)
			}
			head, body := r.last(t)
			verify, err := webhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := verify.Verify([]byte(body), head); err != nil ||
				!strings.Contains(body, `"type":"tftpsql.test"`) {
				t.Errorf("%v: %s", err, body)
			}
		}
		// this process may not reach what another one has allowed
		status, _, errs := do(t, environ[:1], "alarm", "test", "hook")
		if status != 1 || !strings.Contains(errs, "ALARM_PRIVATE=1") {
			t.Errorf("without ALARM_PRIVATE: %d %s", status, errs)
		}
	})
}

// TestGuideWebhook runs the two examples of docs/alarms.md that verify a signature: both take what
// alarm test sends, and refuse it when a byte of it is another one.
func TestGuideWebhook(t *testing.T) {
	t.Parallel()
	p := start(t, databases["sqlite"](t))
	r := newReceiver(t)
	environ := []string{"DATABASE_URL=" + p.url, "ALARM_PRIVATE=1"}
	_, out, _ := do(t, environ, "alarm", "add", "hook", r.URL)
	secret := regexp.MustCompile(`whsec_\S+=`).FindString(out)
	if status, _, errs := do(t, environ, "alarm", "test", "hook"); status != 0 || secret == "" {
		t.Fatal(out, errs)
	}
	head, body := r.last(t)
	guide := pages(t)["docs/alarms.md"]
	scripts := map[string]string{"python3": blocks(guide, "python")[0]}
	for _, block := range blocks(guide, "sh") {
		if strings.Contains(block, "openssl") {
			scripts["sh"] = block
		}
	}
	for program, script := range scripts {
		path, err := exec.LookPath(program)
		if err != nil {
			pgtest.Missing(t, err)
		}
		for _, sent := range []string{body, strings.Replace(body, "test", "best", 1)} {
			cmd := exec.CommandContext(t.Context(), path, "-c", script)
			cmd.Stdin = strings.NewReader(sent)
			cmd.Env = append(cmd.Environ(), "SECRET="+secret, "ID="+head.Get("webhook-id"),
				"STAMP="+head.Get("webhook-timestamp"), "SIGNATURE="+head.Get("webhook-signature"))
			out, err := cmd.CombinedOutput()
			if (err == nil) != (sent == body) {
				t.Errorf("%s: %v\n%s", program, err, out)
			}
		}
	}
}

// TestHeartbeat: the address is fetched as soon as captures can be stored, and what may be secret
// in it is in no log.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	came := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- r.Method + " " + r.URL.Path
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	p := launch(t, databases["sqlite"](t), []string{"HEARTBEAT_URL=" + server.URL + "/hunter22"},
		`msg=listening address=(\S+)`)
	select {
	case got := <-came:
		if got != "GET /hunter22" {
			t.Errorf("it was asked for %s", got)
		}
	case <-time.After(90 * time.Second): // a scan later, if the first found it unready
		t.Fatalf("nothing came\n%s", p.log)
	}
	p.log.wait(t, `HEARTBEAT_URL could not be fetched.*404`)
	if strings.Contains(p.log.String(), "hunter22") {
		t.Errorf("the log has the address:\n%s", p.log)
	}
}

// TestAlarmGivenUp: what a receiver refuses for good is given up aloud: in the log, in deliveries,
// in failures, in the metric; and one that is gone disables its channel. It takes the half minute
// of a batch.
func TestAlarmGivenUp(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := launch(t, url, []string{"ALARM_PRIVATE=1"}, `msg=listening address=(\S+)`, "--http",
			"127.0.0.1:0")
		r := newReceiver(t)
		r.says(http.StatusGone, "we have left")
		p.log.wait(t, `msg=database`)
		if status, _, errs := do(t, []string{"DATABASE_URL=" + url, "ALARM_PRIVATE=1"}, "alarm",
			"add", "hook", r.URL+"/XsecretXsecretXsecret000"); status != 0 {
			t.Fatal(errs)
		}
		p.put(t, "acme/fw1.conf", fortigate("fw1", "1"))
		p.log.wait(t, `msg="an alarm was given up" channel=hook kind=first .*we have left`)
		_, body := r.last(t)
		if !strings.Contains(body, `"ref":"acme/fw1"`) {
			t.Errorf("it got %s", body)
		}
		if _, text := get(t, p.page(t)+"/metrics"); !strings.Contains(text,
			`tftpsql_alarms_total{state="given up"} 1`+"\n") {
			t.Errorf("metrics: %s", text)
		}
		said := p.must(t, "deliveries")
		if !regexp.MustCompile(`hook +first +1 +given up +1 +- .*we have left`).MatchString(said) {
			t.Errorf("deliveries: %s", said)
		}
		p.stop() // failures are kept in batches
		p.status <- <-p.status
		said += p.must(t, "failures")
		if !strings.Contains(said, "alarm given up") || !strings.Contains(said, "alarm test") {
			t.Errorf("failures: %s", said)
		}
		list := p.must(t, "alarm", "list")
		if !strings.Contains(list, "disabled: its receiver is gone") {
			t.Errorf("list: %s", list)
		}
		if strings.Contains(said+list+p.log.String(), "Xsecret") {
			t.Errorf("a secret is shown:\n%s%s%s", said, list, p.log)
		}
	})
}

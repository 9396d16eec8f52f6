package device_test

import (
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// planted replaces every secret of TestPlanted.
const planted = "5eEdl1nG"

// whole joins the rows of a table that go on in the next line, which "~" at their end says.
func whole(rows string) string { return strings.ReplaceAll(rows, "~\n", "") }

// planting is a file of the test data and what goes into it.
type planting struct{ file, above, lines string }

// plants reads the rows of secrets that the tests of other packages plant too.
func plants(t testing.TB) (list []planting) {
	t.Helper()
	fresh := 0 // the first planting whose rows are read
	heads := true
	for line := range strings.Lines(read(t, "planted/rows.txt")) {
		head, ok := strings.CutPrefix(line, "== ")
		switch {
		case ok:
			if !heads {
				fresh = len(list)
			}
			file, above, _ := strings.Cut(strings.TrimSpace(head), " above ")
			list = append(list, planting{file, above, ""})
		default:
			for i := fresh; i < len(list); i++ {
				list[i].lines += line
			}
		}
		heads = ok
	}
	if len(list) == 0 {
		t.Fatal("nothing to plant")
	}
	return list
}

// TestPlanted: wherever a secret stands it is not to be seen, neither in its line nor in a path,
// and no fingerprint is another one because secrets are looked for.
func TestPlanted(t *testing.T) {
	for _, p := range plants(t) {
		base := strings.ReplaceAll(read(t, p.file), "\r\n", "\n")
		at := len(base)
		if p.above != "" {
			if at = strings.LastIndex("\n"+base, "\n"+p.above); at < 0 {
				t.Fatalf("%s has no line %q", p.file, p.above)
			}
		}
		want := device.Identify([]byte(base)).Platform
		for line := range strings.Lines(whole(p.lines)) {
			line = strings.TrimRight(line, "\n")
			if line == "" {
				continue
			}
			plant := strings.NewReplacer("|", "\n", "@@", planted+"@", "@", planted).Replace(line) +
				"\n"
			if strings.HasSuffix(line, "|") {
				plant = strings.TrimSuffix(plant, "\n")
			}
			config := []byte(base[:at] + plant + base[at:])
			if got := device.Identify(config).Platform; got != want {
				t.Errorf("%s with %q: %s", p.file, line, got)
			}
			left := strings.Count(plant, planted)
			for l := range device.Lines(config) {
				left -= strings.Count(string(l.Text), planted)
				if shown := l.Redacted(); strings.Contains(string(shown), planted) {
					t.Errorf("%s, %q: shows %q", p.file, line, shown)
				}
				if path := strings.Join(l.Path(), " > "); strings.Contains(path, planted) {
					t.Errorf("%s, %q: the path is %q", p.file, line, path)
				}
			}
			if left != 0 {
				t.Errorf("%s, %q: %d secrets are in no line", p.file, line, left)
			}
		}
	}
}

// TestPlain: what only speaks of secrets stays readable.
func TestPlain(t *testing.T) {
	for file, lines := range map[string]string{
		"cisco_ios.conf": `
service password-encryption
password encryption aes
crypto pki token default removal timeout 0
interface Vlan7| ip dhcp client client-id ascii cisco-0000.0000.0001-Vl7
ip dhcp pool P| option 60 ascii "Cisco AP c3700"
logging console errors
mpls ldp password required for LDPACL
mpls ldp password fallback key-chain K
no service password-recovery
security passwords min-length 8
aaa authentication login default group tacacs+ local
aaa authorization exec default group tacacs+ local
aaa new-model
username a nopassword
no password
key chain K| key 1|  accept-lifetime 00:00:00 Jan 1 2020 infinite
interface Vlan7| ip ospf authentication message-digest
interface Vlan7| ip ospf authentication key-chain K
interface Vlan7| standby 1 authentication md5 key-chain K
interface Vlan7| description the password is in the safe
interface Vlan7| ip rip authentication mode md5
interface Vlan7| isis authentication mode md5
crypto isakmp policy 1| authentication pre-share
crypto isakmp policy 1| encryption aes 256
crypto isakmp policy 1| hash sha256
dot11 ssid X| authentication key-management wpa
ip ssh version 2
snmp-server enable traps snmp authentication linkdown linkup
snmp-server location the rack
snmp-server contact noc
snmp-server group g v3 priv read V
ntp authenticate
ntp trusted-key 1
router bgp 1| neighbor 192.0.2.1 send-community both
route-map R permit 10| set community 65000:1 additive
ip community-list standard C permit 65000:1
router ospf 1| area 0 authentication message-digest
line vty 0 4| login authentication default
line vty 0 4| transport input ssh
ip http authentication local
logging host 192.0.2.1
! password policy of 2026
interface Vlan7| cts manual|  policy static sgt 7
interface TokenRing0/0
license smart transport smart
event manager environment _email_to noc
event manager applet A| action 1.0 cli command "curl -s http://192.0.2.1/x"
`,
		"cisco_nxos.conf": `
logging level auth 4
no password strength-check
feature password encryption aes
interface Vlan7|  hsrp 1|    authentication md5 key-chain K
interface Vlan7|  hsrp version 2
aaa authentication login default group x
ssh key rsa 2048
`,
		"cisco_xr.conf": `
route-policy P|  if community matches-any C then|    delete community in (no-export)|  endif|~
end-policy
`,
		"arista_eos.conf": `
no aaa root
aaa authentication login default group tacacs+ local
management security|   password minimum length 8
service password-recovery
interface Ethernet7|   description secret garden
`,
		"juniper_junos.set.conf": `
set system services ssh root-login deny
set system login password minimum-length 10
set policy-options policy-statement p then accept
set interfaces ge-0/0/7 description "no password here"
set protocols ospf area 0.0.0.0 interface x hello-interval 10
`,
		"fortinet.conf": `
config system password-policy|set status enable|set min-length 8|end
config user local|edit x|set type password|set passwd-time 2026-01-01|next|end
config system global|set admin-https-ssl-versions tlsv1-2|end
config user local|edit x|set two-factor fortitoken|next|end
config system automation-action|edit x|set http-body "uid=7&name=x"|next|end
config firewall policy|edit 7|set comments "psk and secret"|set name "password reset"|next|end
`,
		"huawei_vrp.conf": `
interface GigabitEthernet0/0/7| port link-type trunk| port trunk allow-pass vlan 10 20
aaa| authentication-scheme default
user-interface vty 0 4| authentication-mode aaa
interface Vlanif7| description where the password is
undo password alert original
`,
		"hp_comware.conf": `
 password-recovery enable
 password-control length 10
line vty 0 4| authentication-mode scheme
`,
		"mikrotik_routeros.conf": `
/interface wireless security-profiles|set [ find default=yes ] authentication-types=wpa2-psk ~
mode=dynamic-keys supplicant-identity=MikroTik
/container envs|add key=DB_PASSWORD name=app
/system script|add name=s source=":local key [/ip address find]; :local count 5"
/ip service|set telnet disabled=yes
/ip ssh|set strong-crypto=yes
/interface wireguard peers|add public-key="x="
/user group|set read policy=local,telnet,ssh,reboot,read,test,winbox,password,web,sniff,sensitive~
,api
`,
		"netscaler.conf": `
set ns param -cookieversion 0
add lb vserver v HTTP 192.0.2.1 80 -persistenceType NONE
set system parameter -minpasswordlen 8 -strongpassword enableall
`,
		"paloalto_panos.conf": `
<webui><device><master-key>enable</master-key></device></webui>
<x><password-complexity><enabled>yes</enabled></password-complexity><public-key>c3No</public-key>~
<value>7</value></x>
`,
		"pfsense.conf": `
<x><passwordauth>enabled</passwordauth><interface>wan</interface><publickey>AAAA</publickey></x>
`,
		"nokia_sros-md.conf": `
snmp {|    authentication {|        privacy {|            privacy-protocol cbc-des|        }|    }|}
`,
		"vyos.conf": `
policy {|    route-map OUT {|        rule 10 {|            set {|~
                community "65000:100 65000:200"|            }|        }|    }|}
service {|    ssh {|        disable-password-authentication|    }|}
`,
	} {
		staysReadable(t, file, whole(lines))
	}
}

// staysReadable holds that the lines of a platform's are shown as they are.
func staysReadable(t *testing.T, file, lines string) {
	t.Helper()
	base := read(t, file)
	at := strings.LastIndex(strings.TrimRight(base, "\n"), "\n") + 1
	for line := range strings.Lines(lines) {
		plain := strings.ReplaceAll(strings.TrimRight(line, "\n"), "|", "\n")
		if plain == "" {
			continue
		}
		var shown strings.Builder
		for l := range device.Lines([]byte(base[:at] + plain + "\n" + base[at:])) {
			shown.Write(append(l.Redacted(), '\n'))
		}
		if !strings.Contains(shown.String(), plain+"\n") {
			t.Errorf("%s: %q is not shown as it is", file, plain)
		}
	}
}

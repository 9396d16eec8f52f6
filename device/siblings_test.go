package device_test

import (
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// staying are words of TestPlain: they only look like secrets.
var staying = []struct{ file, lines string }{
	{"cisco_ios.conf", `
crypto key generate rsa modulus 2048
crypto pki trustpoint TP1| rsakeypair KEY2048A 2048
crypto ipsec transform-set T esp-aes 256 esp-sha256-hmac
crypto ikev2 proposal P| encryption aes-cbc-256| integrity sha512| prf sha512| group 19
interface Tunnel7| tunnel key 100200
interface Vlan7| ip ospf authentication key-chain CHAIN1A
router bgp 1| neighbor 192.0.2.1 send-community extended
ip community-list expanded CUST1A permit 65000:.*
route-map R permit 10| match community CUST1A-EXACT
snmp-server enable traps snmp authentication coldstart
snmp-server engineID local 800000090300AABBCCDDEEFF
dial-peer voice 7 voip| session target sip:u1:5060@192.0.2.1
ip ssh server algorithm mac hmac-sha2-256 hmac-sha2-512
ip ssh server algorithm encryption aes256-ctr aes192-ctr
aaa accounting commands 15 default start-stop group TAC1AB
vlan 7|name token-ring-default
class-map match-any KEY1AB
spanning-tree mst 7 vlan 10-20
ip sla key-chain CHAIN1A
ntp server 192.0.2.1 key 10 prefer
ntp peer 192.0.2.1 key 65001
crypto key pubkey-chain rsa
no key config-key password-encrypt
router bgp 1| bgp community new-format
key chain CHAIN1A| key 7|  cryptographic-algorithm hmac-sha-256
logging discriminator AUTH1A severity drops 4
aaa password restriction
ip prefix-list SECRET seq 5 permit 192.0.2.0/24
route-map PASSWORD permit 10
route-map Guest-Password deny 20
ip route vrf SECRET 0.0.0.0 0.0.0.0 192.0.2.1
router bgp 1| neighbor 192.0.2.1 route-map SECRET out
router bgp 1| neighbor SECRET peer-group
router bgp 1| address-family ipv4 vrf SECRET
ip access-list extended SECRET
interface Vlan7| ip access-group PASSWORD in
ip community-list standard SECRET permit 65000:1
class-map match-any PASSWORD
`},
	{"cisco_nxos.conf", `
logging level authpri 4
logging level aaa 5
feature password encryption aes
ntp server 192.0.2.1 use-vrf management key 1001
username x password expire-in 90
router bgp 1|  neighbor 192.0.2.1|    address-family ipv4 unicast|      send-community extended
ip community-list standard C1A0B0 seq 10 permit 65000:1
ssh key rsa 4096
userpassphrase min-length 8
`},
	{"cisco_xr.conf", `
community-set CUST1A|  65000:100,|  65000:200|end-set
ssh server algorithms key-exchange ecdh-sha2-nistp256
ntp| server 192.0.2.1 key 1 prefer
key chain CHAIN1A| key 7|  cryptographic-algorithm HMAC-SHA1-12
`},
	{"juniper_junos.set.conf", `
set policy-options community CUST-1A members 65000:100
set policy-options policy-statement P1A0 then community add CUST-1A
set security ike proposal P1 authentication-method pre-shared-keys
set security ike proposal P1 dh-group group14
set security ike proposal P1 authentication-algorithm sha-256
set protocols bgp group G1 authentication-key-chain CHAIN1A
set system services ssh ciphers aes256-ctr
set system ntp server 192.0.2.1 key 10 prefer
set system login password format sha512
set interfaces gr-0/0/0 unit 0 tunnel key 100200
set security authentication-key-chains key-chain CHAIN1A key 1 start-time "2026-1-1.00:00"
`},
	{"mikrotik_routeros.conf", `
/interface wireless security-profiles|add authentication-types=wpa2-psk,wpa-psk name=wpa2
/interface wifi security|add authentication-types=wpa2-psk,wpa3-psk name=s1
/ip ipsec proposal|set [ find default=yes ] auth-algorithms=sha256 enc-algorithms=aes-256-cbc
/ip ipsec identity|add auth-method=pre-shared-key peer=p1
/routing filter rule|add chain=c1 rule="set bgp-communities 65000:100; accept"
/certificate|add name=ca1 key-size=4096 key-usage=key-cert-sign
/container envs|add key=DB_PASSWORD2 name=app1
`},
	{"huawei_vrp.conf", `
interface GigabitEthernet0/0/7| port hybrid tagged vlan 10 20| port trunk allow-pass vlan 2 to 4094
interface Eth-Trunk7| port trunk allow-pass vlan all
ike proposal 7| encryption-algorithm aes-256| authentication-method pre-share
ssh server cipher aes256_ctr aes128_ctr
ssh server hmac sha2_256
route-policy P1A permit node 10| apply community 65000:100 additive
snmp-agent community complexity-check disable
`},
	{"hp_comware.conf", `
interface GigabitEthernet1/0/7| port trunk permit vlan 10 20
ssh2 algorithm cipher aes256-ctr
route-policy R1A permit node 10| apply community 65000:100 additive
`},
	{"fortinet.conf", `
config vpn ipsec phase1-interface|edit x1|set authmethod psk|set proposal aes256-sha256|next|end
config router community-list|edit "CUST1A"|config rule|edit 1|set match "65000:100"|next|end|~
next|end
config router route-map|edit r1|config rule|edit 1|set set-community "65000:100"|next|end|next|end
config system global|set ssh-hmac-algo hmac-sha2-256|set ssh-mac-algo hmac-sha2-512|end
config vpn ipsec phase1-interface|edit x1|set keylife 86400|set dpd on-idle|next|end
config system password-policy|set apply-to admin-password ipsec-preshared-key|end
config user radius|edit r1|set password-encoding auto|next|end
`},
	{"paloalto_panos.conf", `
<webui><device><master-key>disable</master-key><authentication-profile>~
enable</authentication-profile></device></webui>
<role><device><webui><device><password-profiles>read-only</password-profiles></device></webui>~
</device></role>
<community><exact>65000:100</exact></community>
`},
	{"paloalto_panos.set.conf", `
set network virtual-router default protocol bgp policy export rules R1A action allow update ~
community append 65000:100
`},
	{"vyos.conf", `
set policy community-list CUST1A rule 10 regex 65000:100
set policy route-map R1 rule 10 set community add 65000:100
set vpn ipsec authentication psk peer_1a id 192.0.2.1
set vpn ipsec ike-group I1 proposal 1 encryption aes256
set interfaces wireguard wg7 peer p1 public-key 'x1b2c3d4e5f6g7h8='
set system login user x authentication public-keys u@h key 'AAAAB3NzaC1yc2EAAAADAQAB'
`},
	{"openwrt.conf", `
config uhttpd 'main'|	option key '/etc/site1a.key'|	option cert '/etc/site1a.crt'
config openvpn 'o1'|	option secret '/etc/site1a.key'
`},
	{"f5_tmsh.conf", `
sys file ssl-key /Common/site2026a.key {|    cache-path /config/x1|}
cm key /Common/d1.key {|    cache-path /config/x:key:_Common:d1.key_1|    revision 1|}
ltm profile server-ssl /Common/s1 {|    passphrase none|}
ltm rule /Common/r1 {|when HTTP_REQUEST {|    set token $static::token1|    set key ~
[HTTP::cookie value k1]|}|}
`},
	{"netscaler.conf", `
add ssl certKey site1a -cert "site2026.cer" -key "site2026.key"
bind ssl cipher CIPHERS_1.2_A -cipherName TLS1.2-ECDHE-RSA-AES256-GCM-SHA384
`},
	{"arista_eos.conf", `
management security|   ssl profile p1|      certificate site1a.crt key site1a.key
ip ssh x|management ssh|   cipher aes256-ctr aes128-ctr|   hmac hmac-sha2-256
router isis 1|   authentication mode sha key-id 1
router bgp 1|   neighbor G1A password shared-secret profile P1A
mac security|   profile P1A|      cipher aes256-gcm-xpn
daemon TerminAttr|   exec /usr/bin/TerminAttr -cvauth=token-secure,/tmp/cv-token -cvvrf=MGMT
`},
	{"arista_eos.conf", `
ip prefix-list SECRET seq 5 permit 192.0.2.0/24
route-map PASSWORD permit 10
ip route vrf SECRET 0.0.0.0/0 192.0.2.1
router bgp 1|   neighbor SECRET peer group|   neighbor 192.0.2.1 prefix-list PASSWORD out
`},
	{"vyos.conf", `
set policy prefix-list SECRET rule 10 prefix '192.0.2.0/24'
set policy route-map PASSWORD rule 10 action 'permit'
set firewall group address-group SECRET address '192.0.2.1'
set protocols bgp neighbor 192.0.2.1 address-family ipv4-unicast route-map export 'SECRET'
`},
	{"juniper_junos.set.conf", `
set policy-options prefix-list SECRET 192.0.2.0/24
set policy-options policy-statement PASSWORD term SECRET then accept
set routing-instances SECRET instance-type vrf
set protocols bgp group PASSWORD neighbor 192.0.2.1
set firewall family inet filter SECRET term PASSWORD from protocol tcp
set security zones security-zone SECRET interfaces ge-0/0/7.0
set policy-options community SECRET members 65000:1
`},
	{"fortinet.conf", `
config wireless-controller vap|edit x1|set mpsk-profile "m1"|next|end
config wireless-controller mpsk-profile|edit "m1"|set mpsk-concurrent-clients 10|next|end
`},
	{"cisco_asa.conf", `
access-list SECRET extended permit ip any any
object network SECRET|object-group network PASSWORD
tunnel-group SECRET type remote-access
group-policy PASSWORD internal
ssl cipher tlsv1.2 custom "AES256-SHA256"
auth-prompt prompt Enter your password 123abc
ntp server 192.0.2.1 key 1 source inside prefer
`},
}

// TestStaying: more of what stays readable.
func TestStaying(t *testing.T) {
	for _, s := range staying {
		staysReadable(t, s.file, whole(s.lines))
	}
}

// secretForms are secrets by their form or by their name alone, which no platform has to know.
var secretForms = whole(`
x 1 $6$salt$@
x 1 "$9$@"
x 1 {SSHA}@abc
x 1 7 08DEADBEEF@
x 1 ftp://u:@@192.0.2.1/x
x 1 "https://192.0.2.1/x?token=@"
x 1 https://192.0.2.1/x?a=b&key=@
x 1 u:@@192.0.2.1:/x
x 1 https://hooks.slack.com/services/T0/B0/@
x 1 https://chat.example.net/hooks/@
x 1 "Authorization: Bearer @abcdef"
x 1 -----BEGIN PRIVATE KEY-----@-----END PRIVATE KEY-----
x 1 password @
x 1 shared-secret "@"
x 1 pre-shared-key ascii @
x 1 my-psk 0 @
x 1 passphrase encrypted @
x 1 api_key = @
x 1 client-secret: @
x 1 --token @
x 1 apiPassword="@"
x 1 {"password": "@"}
x 1 key @
x 1 hmac @
x 1 accessToken @
x 1 token 9 @
`)

// TestSecretForms: what is a secret by its form or its name is hidden on every platform.
func TestSecretForms(t *testing.T) {
	for platform, head := range beginnings(t) {
		if platform == "" {
			continue
		}
		for line := range strings.Lines(secretForms) {
			if line == "\n" {
				continue
			}
			line = strings.NewReplacer("08DEADBEEF@", "08DEADBEEF5E", "@@", planted+"@", "@",
				planted).Replace(line)
			secrets := 0
			for l := range device.Lines([]byte(strings.TrimRight(head, "\n") + "\n" + line)) {
				if string(l.Text)+"\n" != line {
					continue
				}
				secrets++
				if shown := string(l.Redacted()); strings.Contains(shown, planted) ||
					strings.Contains(shown, "DEADBEEF") {
					t.Errorf("%s: shows %q", platform, shown)
				}
			}
			if secrets == 0 {
				t.Errorf("%s: %q is no line", platform, line)
			}
		}
	}
}

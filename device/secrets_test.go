package device_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// planted replaces every secret of TestPlanted.
const planted = "5eEdl1nG"

// plants are lines of each platform's with a secret, "@" here, in a place where one can stand. They
// go into a file of its test data, above the last line that begins as given, or below all.
var plants = []struct{ file, above, lines string }{
	{"cisco_ios.conf", "end", ciscoPlants + `
mpls ldp password fallback 7 @
mpls ldp vrf X password fallback @
mpls ldp password option 5 for LDPACL 7 @
mpls ldp vrf X password option 1 for 10 @
crypto pki token default user-pin 0 @
crypto isakmp peer address 192.0.2.1| set aggressive-mode password @
username a one-time secret @
application| service x|  param pin @
snmp-server user u g v3 auth sha512 @ priv aes 256 @
ip pim vrf X hello-authentication ah-md5 @
interface Vlan7| bfd authentication keyed-sha1 keyid 1 key @
parameter-map type cws global| license 7 @
interface Cellular0| dialer string x|chat-script x "" "AT" OK "password: @"
interface Dialer1| ppp chap hostname x| ppp chap password 0 @
crypto gdoi group G| server local|  authentication password @
ip ddns update method m| HTTP|  add http://bob:@@192.0.2.1/nic?x=<h>
app-hosting appid x| app-resource docker|  run-opts 1 "-e DB_PASSWORD=@ -e API_TOKEN=@"
snmp mib community-map @ engineid 80
aaa server radius dynamic-author| client 192.0.2.1 server-key 6 @
aaa server radius dynamic-author| client 192.0.2.1 vrf X server-key @
utd engine standard| threat-inspection|  signature update server cisco username u password 6 @
dial-peer voice 1 voip| authentication username x password 7 @ realm y
interface Vlan7| cts manual|  sap pmk @ mode-list gcm-encrypt no-encap
license smart register idtoken @ force
license smart trust idtoken @ local
ephone 1| pin @
event manager environment _pw @
event manager environment _ftp_pass @
event manager applet A| action 1.0 cli command "curl -u bob:@ http://192.0.2.1/x"
parameter-map type umbrella global| token @
interface Vlan7| standby 1 authentication @
interface Vlan7| standby 1 authentication text @
interface Vlan7| standby 1 authentication md5 key-string @
interface Vlan7| standby 1 authentication md5 key-string 7 @ timeout 30
interface Vlan7| glbp 1 authentication text @
interface Vlan7| glbp 1 authentication md5 key-string 7 @
interface Vlan7| vrrp 1 authentication @
interface Vlan7| vrrp 1 authentication text @
interface Vlan7| vrrp 1 authentication md5 key-string 0 @
interface Vlan7| ipv6 ospf encryption ipsec spi 256 esp aes-cbc 128 7 @ sha1 7 @
interface Vlan7| ipv6 ospf encryption ipsec spi 256 esp null sha1 0 @
interface Vlan7| ipv6 ospf encryption ipsec spi 256 esp 3des @ md5 @
interface Vlan7| ipv6 ospf authentication ipsec spi 256 md5 7 @
interface Vlan7| ipv6 ospf authentication ipsec spi 256 sha1 @
interface Vlan7| ospfv3 authentication ipsec spi 500 sha1 0 @
interface Vlan7| ospfv3 encryption ipsec spi 500 esp aes-cbc 256 7 @ sha1 7 @
interface Vlan7| ip ospf authentication-key 7 @
interface Vlan7| ip ospf authentication-key @
interface Vlan7| ip ospf message-digest-key 1 md5 @
interface Vlan7| ip rip authentication key-string @
interface Vlan7| ip nhrp authentication @
interface Vlan7| isis password @ level-2
interface Vlan7| ppp chap password 7 @
interface Vlan7| ppp pap sent-username bob password 0 @
interface Vlan7| ipv6 eigrp 1| authentication mode hmac-sha-256 7 @
router eigrp X| af-interface default|  authentication mode hmac-sha-256 @
router ospf 1| area 0 virtual-link 192.0.2.1 authentication-key 7 @
router ospf 1| area 0 virtual-link 192.0.2.1 message-digest-key 1 md5 @
router ospf 1| area 0 virtual-link 192.0.2.1 authentication message-digest message-digest-key 1 ~
md5 7 @
router ospf 1| area 0 sham-link 192.0.2.1 192.0.2.2 password @
ipv6 router ospf 1| area 0 encryption ipsec spi 300 esp aes-cbc 192 @ sha1 @
ipv6 router ospf 1| area 0 authentication ipsec spi 300 md5 @
router isis| area-password @ authenticate snp validate
router isis| domain-password @
router bgp 1| neighbor 192.0.2.1 password 7 @
router bgp 1| neighbor X peer-group| neighbor X password @
ip msdp password peer 192.0.2.1 @
ip msdp password peer 192.0.2.1 7 @
ip msdp vrf X password peer 192.0.2.1 7 @
mpls ldp neighbor 192.0.2.1 password @
mpls ldp neighbor vrf X 192.0.2.1 password 7 @
enable password level 7 @
enable secret level 5 9 @
enable secret 9 $9$@$x
enable algorithm-type scrypt secret @
username a view b secret 5 @
username a privilege 15 common-criteria-policy P password 6 @
username a secret 8 $8$@
mgmtuser username a password 0 @ secret 0 @
ap dot1x username a password 0 @
username a password 0 two @
line con 0| password two words @
mgmtuser username a password 0 two @ secret 0 three @
wlan X 1 X| security wpa psk set-key ascii 0 two @
tacacs-server key @
tacacs-server host 192.0.2.1 single-connection port 49 key 7 @
radius-server key 7 @
radius-server host 192.0.2.1 auth-port 1812 acct-port 1813 timeout 5 retransmit 3 key @
radius server X| key 7 @
radius server X| pac key 7 @
tacacs server X| key 6 @
aaa group server tacacs+ X| server-private 192.0.2.1 key 7 @
aaa group server radius X| server-private 192.0.2.1 auth-port 1812 acct-port 1813 key @
ldap server X| bind authenticate root-dn cn=x,dc=y password 7 @
key chain K| key 1|  key-string @
key chain K| key 1|  key-string 7 @
key chain K| key 1|  key-string two words @
key chain M macsec| key 01|  key-string 7 @
crypto isakmp key @ address 192.0.2.1
crypto isakmp key 6 @ hostname x
crypto keyring K| pre-shared-key address 192.0.2.1 255.255.255.255 key @
crypto keyring K| pre-shared-key address ipv6 2001:db8::1/128 key 6 @
crypto keyring K| pre-shared-key hostname x key @
crypto ikev2 keyring K| peer p|  pre-shared-key 6 @
crypto ikev2 keyring K| peer p|  pre-shared-key remote 0 @
crypto ikev2 keyring K| peer p|  pre-shared-key hex @
crypto ikev2 profile P| authentication local pre-share key @
crypto ikev2 profile P| authentication remote pre-share key 6 @
crypto isakmp client configuration group G| key @
crypto map M 1 ipsec-manual| set session-key inbound esp 256 cipher @ authenticator @
crypto map M 1 ipsec-manual| set session-key outbound ah 256 @
crypto pki trustpoint T| password 7 @
crypto pki trustpoint T| enrollment url http://bob:@@192.0.2.1/certsrv
key config-key password-encrypt @
ntp authentication-key 1 md5 @
ntp authentication-key 1 md5 @ 7
ntp authentication-key 2 hmac-sha2-256 @ 7
ntp authentication-key 2 cmac-aes-128 0 @
line vty 0 4| password 7 @
line con 0| password @
dot11 ssid X| wpa-psk ascii 7 @
dot11 ssid X| wpa-psk hex 0 @
wlan X 1 X| security wpa psk set-key ascii 0 @
wlan X 1 X| security wpa psk set-key hex 8 @
wlan X 1 X| security static-wep-key encryption 104 ascii 0 @ 1
interface Dot11Radio0| encryption key 1 size 128bit 7 @ transmit-key
interface Dot11Radio0| encryption vlan 1 key 1 size 40bit 7 @
ip http client username bob
ip http client password 7 @
ip ftp password 7 @
ip wccp web-cache password 7 @
vtp password @
vtp password @ hidden
cts sxp default password 7 @
cts credentials id x password 7 @
vpdn-group G| l2tp tunnel password 7 @
sip-ua| authentication username x password 7 @
sip-ua| credentials username x password 7 @ realm y
voice register pool 1| username x password @
ephone 1| username "x" password @
telephony-service| web admin system name x password @
event manager environment _email_password @
event manager applet A| action 1.0 cli command "copy run ftp://bob:@@192.0.2.1/x"
archive| path scp://bob:@@192.0.2.1/$h
boot network ftp://bob:@@192.0.2.1/x
boot system ftp://bob:@@192.0.2.1/x.bin
kron policy-list P| cli copy running-config ftp://bob:@@192.0.2.1/x
parser view V| secret 5 $1$@
cns password @
snmp-server community @ view V RO 10
snmp-server user u g v3 auth sha @ priv aes 128 @
snmp-server user u g v3 encrypted auth md5 @ priv des56 @ access 10
snmp-server user u g remote 192.0.2.1 v3 auth md5 @
snmp-server host 192.0.2.1 @
snmp-server host 192.0.2.1 version 1 @ udp-port 1162
snmp-server host 192.0.2.1 vrf V version 2c @ bgp
snmp-server host 192.0.2.1 informs version 2c @
snmp mib community-map @ context c
snmp-server mib community-map @ engineid 1
crypto key import rsa x| -----BEGIN RSA PRIVATE KEY-----|@| x@|-----END RSA PRIVATE KEY-----
username x password 7 @|! comment
`},
	{"cisco_nxos.conf", "", ciscoPlants + `
interface Ethernet1/7|  ip pim hello-authentication ah-md5 3 @
interface Ethernet1/7|  ip pim hello-authentication ah-md5 @
interface Ethernet1/7|  bfd authentication keyed-SHA1 keyid 1 key @
interface Ethernet1/7|  bfd authentication keyed-SHA1 keyid 1 hex-key @
fcsp dhchap password 7 @
fcsp dhchap devicename 00:11:22:33:44:55:66:77 password @
nxapi certificate httpskey keyfile bootflash:x password @
cts sap pmk @
interface Ethernet1/7|  cts manual|    sap pmk @ modelist gcm-encrypt
interface Vlan7|  hsrp 1|    authentication @
interface Vlan7|  hsrp 1|    authentication text @
interface Vlan7|  hsrp 1|    authentication md5 key-string @
interface Vlan7|  vrrp 1|    authentication text @
interface Vlan7|  glbp 1|    authentication md5 key-string 7 @
interface Vlan7|  ip ospf authentication-key 3 @
interface Vlan7|  ip ospf message-digest-key 1 md5 3 @
interface Vlan7|  ipv6 eigrp authentication x| key-string @
router ospf 1|  area 0.0.0.0 virtual-link 192.0.2.1|    message-digest-key 1 md5 3 @
router ospfv3 1|  area 0.0.0.0 authentication ipsec spi 300 md5 @
interface Vlan7|  ospfv3 authentication ipsec spi 256 md5 0 @
interface Vlan7|  ospfv3 encryption ipsec spi 256 esp AES 128 @ authentication sha1 @
username admin password 5 $5$@$x  role network-admin
username admin password 5 !@  role network-admin
snmp-server user admin network-admin auth md5 0x@ priv 0x@ localizedkey
snmp-server user admin network-admin auth sha-256 @ priv aes-128 @
snmp-server community @ group network-operator
snmp-server host 192.0.2.1 traps version 2c @
snmp-server host 192.0.2.1 @ udp-port 2162
snmp-server host 192.0.2.1 use-vrf management
snmp-server mib community-map @ context c
tacacs-server key 7 "@"
tacacs-server host 192.0.2.1 key 7 "@" port 49 timeout 5
radius-server host 192.0.2.1 key 7 "@" authentication accounting
router bgp 1|  neighbor 192.0.2.1|    password 3 @
ip msdp password 192.0.2.1 3 @
key chain K|  key 1|    key-string 7 @
key chain K macsec|  key 01|    key-octet-string 7 @ cryptographic-algorithm AES_128_CMAC
ntp authentication-key 1 md5 @ 7
radius-server test password @
vtp password @
`},
	{"cisco_asa.conf", "Cryptochecksum", `
webvpn| http-proxy 192.0.2.1 80 username u password @
scansafe general-options| license @
umbrella-global| token @
router eigrp 1|interface G0/9| authentication key eigrp 1 @ key-id 1
cluster group x| key @
ddns update method m| web update-url https://bob:@@192.0.2.1/x
aaa-server K protocol radius|aaa-server K (inside) host 192.0.2.1| radius-common-pw @
snmp-server user u g v3 engineID 8000 encrypted auth sha @ priv aes 256 @
passwd @ encrypted
enable password @ pbkdf2
username a password @ encrypted privilege 15
username a password @ nt-encrypted
aaa-server X protocol ldap|aaa-server X (inside) host 192.0.2.1| ldap-login-password @
aaa-server X (inside) host 192.0.2.1| key @
aaa-server X (inside) host 192.0.2.1| radius-common-pw @
tunnel-group X ipsec-attributes| ikev1 pre-shared-key @
tunnel-group X ipsec-attributes| ikev2 remote-authentication pre-shared-key @
tunnel-group X ipsec-attributes| ikev2 local-authentication pre-shared-key 8 @
crypto isakmp key @ address 192.0.2.1 netmask 255.255.255.255
crypto ca trustpoint T| password @
snmp-server host inside 192.0.2.1 community @ version 2c
snmp-server host inside 192.0.2.1 poll community 8 @ version 2c
snmp-server host inside 192.0.2.1 @
snmp-server community @
snmp-server user u g v3 encrypted auth sha @ priv aes 256 @
failover key @
failover key hex @
failover ipsec pre-shared-key @
ntp authentication-key 1 md5 @
router ospf 1| area 0 virtual-link 192.0.2.1 authentication-key @
interface Ethernet0/7| ospf authentication-key @
interface Ethernet0/7| ospf message-digest-key 1 md5 @
interface Ethernet0/7| authentication key eigrp 1 @ key-id 1
router bgp 1| address-family ipv4 unicast|  neighbor 192.0.2.1 password @
vpdn username u password @ store-local
cluster group X| key @
`},
	{"cisco_xr.conf", "end", `
snmp-server vrf M| host 192.0.2.1 traps version 2c @
snmp-server vrf M| host 192.0.2.1 traps version 2c encrypted @
snmp-server vrf M| host 192.0.2.1 informs version 2c clear @ udp-port 1162
username a| secret 10 $6$@$x
username a| password 7 @
tacacs-server host 192.0.2.1 port 49| key 7 @
tacacs-server key 7 @
radius-server host 192.0.2.1 auth-port 1812 acct-port 1813| key 7 @
snmp-server community @ RO SystemOwner
snmp-server host 192.0.2.1 traps version 2c encrypted @
snmp-server host 192.0.2.1 traps version 2c @ udp-port 163
snmp-server community-map @ context c
snmp-server user u g v3 auth sha encrypted @ priv aes 128 encrypted @ SystemOwner
router bgp 1| neighbor 192.0.2.1|  password encrypted @
router isis 1| lsp-password hmac-md5 encrypted @
router isis 1| lsp-password text clear @ level 2
router isis 1| interface x|  hello-password hmac-md5 encrypted @
router isis 1| interface x|  hello-password text encrypted @
router ospf 1| area 0|  message-digest-key 1 md5 encrypted @
router ospf 1| area 0|  authentication-key encrypted @
router ospfv3 1| area 0|  encryption ipsec spi 300 esp aes password @ authentication sha1 password @
router ospfv3 1| area 0|  authentication ipsec spi 300 md5 clear @
router hsrp| interface x|  address-family ipv4|   hsrp 1|    authentication @
router vrrp| interface x|  address-family ipv4|   vrrp 1|    text-authentication @
mpls ldp| neighbor|  192.0.2.1:0 password encrypted @
mpls ldp| neighbor password encrypted @
router msdp| peer 192.0.2.1|  password encrypted @
key chain K| key 1|  key-string password @
key chain K| key 1|  key-string clear @
ntp| authentication-key 1 md5 encrypted @
line template X| password 7 @
line template X| secret 5 $1$@
copy ftp://u:@@192.0.2.1/x
`},
	{"cisco_catos.conf", "end", `
set password @
set enablepass @
set snmp community read-write @
set snmp community read-only      @
set snmp trap 192.0.2.1 @
set snmp trap 192.0.2.1 @ port 162 owner CLI index 1
set snmp user u authentication md5 @ privacy @
set tacacs key @
set radius key @
set vtp domain x passwd @
set localuser user u password @ privilege 15
set ntp key 1 trusted md5 @
`},
	{"cisco_vxworks.conf", "#===End", `
snmpCommunity=@
awcAaaUserPassword.1=@
dot11WEPDefaultKeyValue.1=@
awcTftpPassword=@
awcRadiusSecret.1=@
`},
	{"cisco_wlc.conf", "", `
config radius auth add 1 192.0.2.1 1812 ascii @
config radius acct add 1 192.0.2.1 1813 hex @
config radius auth add encrypt 1 192.0.2.1 1812 password 1 @ @ 16 @
config tacacs auth add 1 192.0.2.1 49 ascii @
config snmp community create @
config snmp community accessmode rw @
config snmp community ipaddr 192.0.2.0 255.255.255.0 @
config snmp community mode enable @
config snmp trapreceiver create @ 192.0.2.1
config snmp trapreceiver mode enable @
config snmp v3user create u ro hmacsha aescfb128 @ @
config netuser add u @ wlan 1 userType permanent
config netuser add encrypt username u password 1 @ @ 16 @ wlan 1
config mgmtuser add u @ read-write
config wlan security wpa akm psk set-key ascii @ 1
config wlan security wpa akm psk set-key hex encrypt 1 @ @ 48 @ 1
config wlan security static-wep-key encryption 1 104 ascii @ 1
config ap mgmtuser add username u password @ secret @ all
config ap 802.1xuser add username u password @ all
config local-auth eap-profile x| config local-auth method fast server-key @
config transfer download password @
`},
	{"cisco_s300.conf", "", `
snmp-server community @ ro view Default
snmp-server host 192.0.2.1 traps version 2 @
snmp-server host 192.0.2.1 version 1 @
snmp-server host 192.0.2.1 @
encrypted snmp-server community @ ro
username u password encrypted @ privilege 15
enable password level 15 encrypted @
encrypted radius-server host 192.0.2.1 key @ priority 1
radius-server key @
encrypted tacacs-server host 192.0.2.1 key @
line ssh| password encrypted @
encrypted snmp-server user u g v3 auth sha @ priv @
encrypted sntp authentication-key 1 md5 @
key chain K| key 1|  key-string @
crypto key import rsa|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----|Comment: RSA Private Key|@|x@|~
---- END SSH2 PRIVATE KEY ----
ip ssh-client password encrypted @
boot host x| backup scp://u:@@192.0.2.1/x
`},
	{"arista_eos.conf", "end", ciscoPlants + `
event-handler x|   action bash curl -u bob:@ http://192.0.2.1/
event-handler x|   action bash curl -s --user 'bob:@' --proxy-user bob:@ http://192.0.2.1/
event-handler x|   action bash curl -sk -ubob:@ http://192.0.2.1/
event-handler x|   action bash curl "http://192.0.2.1/x?user=bob&pass=@&token=@"
username a privilege 15 role network-admin secret sha512 $6$@$x
username a secret 5 $1$@
username a secret 0 @
enable password sha512 $6$@
aaa root secret sha512 $6$@
tacacs-server key 7 @
tacacs-server host 192.0.2.1 vrf MGMT key 7 @
radius-server host 192.0.2.1 key 8a @
snmp-server community @ ro
snmp-server host 192.0.2.1 version 2c @
snmp-server host 192.0.2.1 vrf M version 1 @
snmp-server host 192.0.2.1 traps version 2c @
snmp-server host 192.0.2.1 @
snmp-server user u g v3 localized 0x01 auth sha @ priv aes @
router bgp 1|   neighbor 192.0.2.1 password 7 @
router bgp 1|   neighbor X password shared-secret profile|   neighbor Y password 8a @
router bgp 1|   neighbor 192.0.2.1 password @
interface Ethernet7|   ip ospf authentication-key 7 @
interface Ethernet7|   ip ospf message-digest-key 1 md5 7 @
interface Ethernet7|   ip ospf message-digest-key 1 sha512 0 @
interface Ethernet7|   ospfv3 authentication ipsec spi 256 md5 passphrase 7 @
interface Ethernet7|   ospfv3 encryption ipsec spi 256 esp aes-128-cbc @ sha1 @
interface Ethernet7|   ospfv3 encryption ipsec spi 256 esp null sha1 passphrase 0 @
interface Ethernet7|   vrrp 1 peer authentication text @
interface Ethernet7|   vrrp 1 authentication ietf-md5 key-string 7 @
interface Ethernet7|   vrrp 1 authentication text @
interface Ethernet7|   isis authentication key 7 @
router isis 1|   authentication key 0 @ level-2
router msdp|   peer 192.0.2.1|      password 7 @
mpls ldp|   neighbor 192.0.2.1 password 7 @
ntp authentication-key 1 md5 7 @
ntp authentication-key 1 sha1 @
ip security|   ike policy|   profile x|      shared-key 7 @
mac security|   profile x|      key 0ab1 7 @
mac security|   profile x|      key 0ab1 7 @ fallback
management security|   session shared-secret profile P|~
      secret 0 7 @ receive-lifetime infinite transmit-lifetime infinite
daemon TerminAttr|   exec /usr/bin/TerminAttr -cvauth=key,@ -taillogs
daemon X|   option password value @
radius proxy|   client 192.0.2.1 key 7 @
email|   auth username u password 7 @
`},
	{"dell_os9.conf", "end", ciscoPlants + `
username a password 7 @ privilege 15
username a secret 5 @
enable password 7 @
enable sha256-password 8 @
snmp-server community @ ro
snmp-server host 192.0.2.1 traps version 2c @ udp-port 162
snmp-server host 192.0.2.1 traps version 1 @
radius-server host 192.0.2.1 key 7 @
tacacs-server key 7 @
interface TenGigabitEthernet 0/7| vrrp-group 1|  authentication-type simple @
interface TenGigabitEthernet 0/7| vrrp-group 1|  authentication-type simple 7 @
router ospf 1| area 0 virtual-link 192.0.2.1 message-digest-key 1 md5 7 @
interface TenGigabitEthernet 0/7| ip ospf message-digest-key 1 md5 7 @
router bgp 1| neighbor 192.0.2.1 password 7 @
ip ftp password 7 @
ntp authentication-key 1 md5 7 @
`},
	{"dell_os10.conf", "", `
username admin password $6$@$x role sysadmin priv-lvl 15
system-user linuxadmin password $6$@$x
radius-server host 192.0.2.1 key 9 @
tacacs-server host 192.0.2.1 key 9 @
snmp-server community @ ro
snmp-server host 192.0.2.1 traps version 2c @ udp-port 162
snmp-server user u g 3 localized auth md5 @ priv aes @
interface vlan7| vrrp-group 1|  authentication simple-text @
router bgp 1| neighbor 192.0.2.1|  password 9 @
interface vlan7| ip ospf message-digest-key 1 md5 9 @
interface vlan7| ip ospf authentication-key 9 @
ntp authentication-key 1 md5 9 @
`},
	{"dell_os6.conf", "", fastpathPlants},
	{"broadcom_icos.conf", "", fastpathPlants},
	{"netgear_prosafe-fastpath.conf", "", fastpathPlants},
	{"netgear_prosafe.conf", "", fastpathPlants},
	{"ubiquiti_edgeswitch.conf", "", fastpathPlants},
	{"ruckus_fastiron.conf", "end", foundryPlants},
	{"extreme_netiron.conf", "end", foundryPlants},
	{"a10.conf", "end", `
admin bob password encrypted @
admin bob password @
enable-password encrypted @
snmp-server community read @
snmp-server host 192.0.2.1 version v2c @
snmp-server host 192.0.2.1 @
radius-server host 192.0.2.1 secret secret-encrypted @
tacacs-server host 192.0.2.1 secret @ port 49
slb template server-ssl x|  key pass-phrase encrypted @
slb template client-ssl x|  key-passphrase @
slb template client-ssl x|  forward-proxy-ca-key x pass-phrase encrypted @
health monitor x|  method http url GET /x username u password encrypted @
health monitor x|  method radius u password @ secret @
vrrp-a common|  x key-string @
router bgp 1|  neighbor 192.0.2.1 password encrypted @
interface ve 7|  ip ospf message-digest-key 1 md5 encrypted @
aam authentication server ldap x|  admin-secret @
import ftp://u:@@192.0.2.1/x
`},
	{"nokia_sros.conf", "exit all", `
    router|        ospf|            area 0.0.0.0|                interface "a"|~
                    message-digest-key 1 md5 "@" hash2
    router|        rip|            authentication-key "@" custom
    system|        security|            user "a"|                password "@"
    system|        security|            tacplus|~
                server 1 address 192.0.2.1 secret "@" hash2
    system|        security|            radius|~
                server 1 address 192.0.2.1 secret "@" hash2
    system|        security|            snmp|                community "@" hash2 r version v2c
    system|        security|            user "a"|                snmp|~
                    authentication hash md5 @ privacy des-key @
    log|        snmp-trap-group 1|            trap-target "x" address 192.0.2.1 snmpv2c ~
notify-community "@"
    router|        bgp|            authentication-key "@" hash2
    router|        ospf|            area 0.0.0.0|                interface "x"|~
                    message-digest-key 1 md5 "@" hash2
    router|        ospf|            area 0.0.0.0|                interface "x"|~
                    authentication-key "@" hash2
    router|        isis|            hello-authentication-key "@" hash2
    router|        ldp|            tcp-session-parameters|~
                peer-transport 192.0.2.1|                    authentication-key "@" hash2
    router|        vrrp|            authentication-key "@" hash2
    system|        security|            keychain "K"|                direction|~
                    bi|                        entry 0 key "@" hash2 algorithm hmac-md5
    system|        time|            ntp|                authentication-key 1 key "@" hash2 type ~
message-digest
    ipsec|        ike-policy 1|        tunnel|            pre-shared-key "@" hash2
    bof|        primary-config "ftp://u:@@192.0.2.1/x"
`},
	{"nokia_sros-md.conf", "}", `
        snmp {|            authentication {|~
                authentication-key "@ hash2"|                privacy {|~
                    privacy-key "@ hash2"|                }|            }|        }
        ospf 0 {|            message-digest-key 1 {|                md5 "@ hash2"|~
            }|        }
        ipsec {|            any-new-leaf "@ custom"|        }
        security {|            user-params {|                local-user {|~
                    user "a" {|                        password "$2y$10$@"|                    }|~
                }|            }|        }
        security {|            snmp {|                community "@ hash2" {|~
                    access-permissions r|                }|            }|        }
        radius {|            server 1 {|                secret "@ hash2"|            }|        }
        bgp {|            authentication-key "@ hash2"|        }
        vrrp {|            authentication-key "@ hash2"|        }
        keychain "K" {|                entry 0 {|                    authentication-key "@ hash2"|~
                }|        }
        ipsec {|            pre-shared-key "@ hash2"|        }
        snmp {|            usm-community "@ hash2" {|            }|        }
`},
	{"huawei_vrp.conf", "return", vrpPlants + `
wlan| security-profile name x|  security wep key wep-40 pass-phrase 0 @
ssl policy p|  certificate load pem-cert x key-pair rsa key-file y auth-code cipher @
isis 1| domain-authentication-mode md5 cipher @
isis 1| area-authentication-mode simple plain @
 local-user a password irreversible-cipher @
 local-user a password cipher @
 local-user a password simple @
snmp-agent community read cipher @
snmp-agent community write @ acl 2000
snmp-agent usm-user v3 u authentication-mode sha cipher @ privacy-mode aes128 cipher @
snmp-agent usm-user v3 u authentication-mode sha|%^%#@ x%^%#
snmp-agent usm-user v3 u g authentication-mode md5 @ privacy-mode des56 @
snmp-agent target-host trap address udp-domain 192.0.2.1 params securityname cipher @ v2c
snmp-agent target-host trap address udp-domain 192.0.2.1 params securityname @ v2c
radius-server template x| radius-server shared-key cipher @
hwtacacs-server template x| hwtacacs-server shared-key cipher @
user-interface vty 0 4| set authentication password cipher @
user-interface con 0| set authentication password irreversible-cipher $1a$@$x
super password level 3 cipher @
interface Vlanif7| ospf authentication-mode md5 1 cipher @
interface Vlanif7| ospf authentication-mode simple plain @
interface Vlanif7| ospf authentication-mode hmac-sha256 1 plain @
interface Vlanif7| isis authentication-mode md5 cipher @
interface Vlanif7| isis authentication-mode simple plain @
interface Vlanif7| rip authentication-mode simple @
interface Vlanif7| vrrp vrid 1 authentication-mode md5 @
interface Vlanif7| vrrp vrid 1 authentication-mode simple plain @
isis 1| area-authentication-mode md5 cipher @
isis 1| domain-authentication-mode simple plain @
ospf 1| area 0.0.0.0|  authentication-mode md5 1 plain @
bgp 1| peer 192.0.2.1 password cipher @
bgp 1| peer 192.0.2.1 password simple @
mpls ldp| md5-password cipher 192.0.2.1 @
mpls ldp| md5-password plain 192.0.2.1 @
ike peer x| pre-shared-key cipher @
ike peer x| pre-shared-key simple @
ntp-service authentication-keyid 1 authentication-mode md5 cipher @
ntp-service authentication-keyid 1 authentication-mode md5 @
keychain K mode absolute| key-id 1|  key-string cipher @
keychain K mode absolute| key-id 1|  key-string plain @
wlan| security-profile name x|  security wpa2 psk pass-phrase @ aes
wlan| security-profile name x|  security wep key 0 wep-40 pass-phrase %^%#@%^%#
l2tp-group 1| tunnel password cipher @
interface Dialer1| ppp chap password cipher @
interface Dialer1| ppp pap local-user u password simple @
capwap dtls psk @
`},
	{"hp_comware.conf", "return", vrpPlants + `
local-user a class manage| password hash $h$6$@
local-user a| password simple @
 snmp-agent community read @
 snmp-agent community write cipher @
 snmp-agent community read simple @ acl 2000
 snmp-agent usm-user v3 u g cipher authentication-mode sha @ privacy-mode aes128 @
 snmp-agent usm-user v3 u g simple authentication-mode md5 @ privacy-mode des56 @
 snmp-agent target-host trap address udp-domain 192.0.2.1 params securityname @ v2c
radius scheme x| key authentication cipher $c$3$@
radius scheme x| key accounting simple @
radius scheme x| primary authentication 192.0.2.1 key cipher @
hwtacacs scheme x| key authorization cipher @
line vty 0 4| set authentication password hash $h$6$@
 super password role network-admin hash $h$6$@
 super password level 3 cipher @
interface Vlan-interface7| ospf authentication-mode md5 1 cipher @
interface Vlan-interface7| ospf authentication-mode simple plain @
interface Vlan-interface7| vrrp vrid 1 authentication-mode md5 cipher @
interface Vlan-interface7| vrrp vrid 1 authentication-mode simple plain @
interface Vlan-interface7| isis authentication-mode md5 plain @
isis 1| area-authentication-mode md5 cipher @
bgp 1| peer 192.0.2.1 password cipher @
bgp 1| peer 192.0.2.1 password simple @
ike keychain x| pre-shared-key address 192.0.2.1 255.255.255.255 key cipher $c$3$@
 ntp-service authentication-keyid 1 authentication-mode md5 cipher @
 ntp-service authentication-keyid 1 authentication-mode hmac-sha-256 simple @
keychain K mode absolute| key 1|  key-string cipher @
wlan service-template x| preshared-key pass-phrase cipher @
interface Dialer1| ppp chap password cipher @
`},
	{"hp_procurve.conf", "", `
password manager user-name "a" sha1 "@"
password manager plaintext @
password operator sha256 "@"
snmp-server community "@" operator unrestricted
snmp-server host 192.0.2.1 "@"
snmp-server host 192.0.2.1 community "@" trap-level not-info
snmpv3 user "u" auth sha "@" priv aes "@"
snmpv3 community index "1" name "@" sec-name "x"
snmpv3 community index @ name @ sec-name x
radius-server key "@"
radius-server host 192.0.2.1 key "@"
radius-server host 192.0.2.1 encrypted-key "@"
tacacs-server key "@"
tacacs-server host 192.0.2.1 encrypted-key "@"
sntp authentication key-id 1 authentication-mode md5 key-value "@" trusted
key-chain "K" key 1 key-string "@"
vlan 7|   ip ospf 192.0.2.1 md5-auth-key-chain "@"
vlan 7|   ip ospf 192.0.2.1 authentication-key "@"
vlan 7|   vrrp vrid 1|      authentication @
router bgp 1|   neighbor 192.0.2.1 password "@"
aaa port-access mac-based password "@"
aaa port-access supplicant 1 secret "@"
aaa port-access 1 supplicant secret @
`},
	{"aruba_aoscx.conf", "", `
user admin group administrators password ciphertext @
user admin group administrators password plaintext @
radius-server host 192.0.2.1 key ciphertext @
radius-server key plaintext @
tacacs-server host 192.0.2.1 key ciphertext @ vrf mgmt
snmp-server community @
snmpv3 user u auth sha auth-pass ciphertext @ priv aes priv-pass ciphertext @
snmp-server host 192.0.2.1 trap version v2c community @ vrf mgmt
snmp-server host 192.0.2.1 inform version v2c community @
interface vlan 7|    ip ospf authentication-key ciphertext @
interface vlan 7|    ip ospf message-digest-key 1 md5 ciphertext @
interface vlan 7|    vrrp 1 address-family ipv4|        authentication text plaintext @
router bgp 1|    neighbor 192.0.2.1 password ciphertext @
ntp authentication-key 1 md5 @
ntp authentication-key 1 md5 ciphertext @ trusted
keychain K|    key 1|        key-string ciphertext @
aaa authentication port-access dot1x supplicant policy x|    eap-identity password ciphertext @
aruba-central|    x token x| shared-secret @
crypto pki ta-profile x|    -----BEGIN PRIVATE KEY-----|    @|    -----END PRIVATE KEY-----
`},
	{"aruba_aoscx-json.conf", "}", `
    "Radius": { "x": { "passkey": "@", "shared_secret": "@" } },
    "User": { "u": { "password": "@" } },
`},
	{"aruba_os.conf", "end", arubaPlants + "mgmt-user admin root @\nvrrp 1|authentication @\n"},
	{"aruba_instant.conf", "", arubaPlants +
		"mgmt-user admin @\nuser a @ radius\nams-key @\n"},
	{"fortinet.conf", "", fortiPlants},
	{"fortimanager.conf", "", fortiPlants},
	{"fortios-multivdom.conf", "", fortiPlants},
	{"juniper_junos.conf", "", `
snmp {|    community @ {|        authorization read-only;|    }|}
snmp {|    community "@";|}
snmp {|    trap-group @ {|        version v2;|        targets {|            192.0.2.1;|        }|~
    }|}
snmp {|    trap-group "@";|}
snmp {|    v3 {|        snmp-community x {|            community-name "@";|~
            security-name y;|        }|    }|}
snmp {|    v3 {|        snmp-community @ {|            security-name y;|        }|    }|}
snmp {|    v3 {|        usm {|            local-engine {|                user u {|~
                    authentication-sha {|                        authentication-key "$9$@";|~
                    }|                }|            }|        }|    }|}
snmp {|    v3 {|        usm {|            local-engine {|                user u {|~
                    privacy-aes128 {|                        privacy-password @;|~
                    }|                }|            }|        }|    }|}
system {|    root-authentication {|        encrypted-password "$6$@"; ## SECRET-DATA|    }|}
system {|    radius-server {|        192.0.2.1 secret "$9$@"; ## SECRET-DATA|    }|}
system {|    tacplus-server {|        192.0.2.1 {|            secret "@"; ## SECRET-DATA|~
        }|    }|}
system {|    archival {|        configuration {|            archive-sites {|~
                "ftp://192.0.2.1/x" password "$9$@"; ## SECRET-DATA|            }|        }|    }|}
system {|    archival {|        configuration {|            archive-sites {|~
                "ftp://u:@@192.0.2.1/x";|            }|        }|    }|}
system {|    ntp {|        authentication-key 1 type md5 value "$9$@"; ## SECRET-DATA|    }|}
system {|    ntp {|        authentication-key 1 type md5 value "@";|    }|}
system {|    login {|        user a {|            authentication {|~
                encrypted-password $1$@;|            }|        }|    }|}
security {|    ike {|        policy p {|            pre-shared-key ascii-text "$9$@"; ## ~
SECRET-DATA|        }|    }|}
security {|    ike {|        policy p {|            pre-shared-key hexadecimal @;|        }|    }|}
security {|    ipsec {|        security-association s {|            manual {|~
                direction bidirectional {|                    authentication {|~
                        algorithm hmac-md5-96;|                        key ascii-text "$9$@";|~
                    }|                }|            }|        }|    }|}
security {|    authentication-key-chains {|        key-chain K {|            key 0 {|~
                secret "@"; ## SECRET-DATA|            }|        }|    }|}
security {|    pki {|        ca-profile x {|            enrollment {|~
                url http://u:@@192.0.2.1;|            }|        }|    }|}
security {|    macsec {|        connectivity-association x {|            pre-shared-key {|~
                ckn 01;|                cak "$9$@"; ## SECRET-DATA|            }|        }|    }|}
protocols {|    ospf {|        area 0.0.0.0 {|            interface x {|~
                authentication {|                    md5 1 key "$9$@"; ## SECRET-DATA|~
                }|            }|        }|    }|}
protocols {|    ospf {|        area 0.0.0.0 {|            interface x {|~
                authentication {|                    simple-password "@";|                }|~
            }|        }|    }|}
protocols {|    bgp {|        group g {|            authentication-key "$9$@"; ## SECRET-DATA|~
        }|    }|}
protocols {|    isis {|        level 2 authentication-key @;|    }|}
protocols {|    rsvp {|        interface x {|            authentication-key "$9$@";|        }|~
    }|}
interfaces {|    pp0 {|        unit 0 {|            ppp-options {|                chap {|~
                    default-chap-secret "$9$@"; ## SECRET-DATA|                }|~
                pap {|                    local-password "@";|                }|            }|~
        }|    }|}
interfaces {|    ge-0/0/7 {|        unit 0 {|            family inet {|~
                address 192.0.2.1/24 {|                    vrrp-group 1 {|~
                        authentication-key "@";|                    }|                }|~
            }|        }|    }|}
access {|    profile p {|        client c {|            firewall-user {|~
                password "@";|            }|        }|    }|}
access {|    radius-server {|        192.0.2.1 {|            secret "@";|        }|    }|}
access {|    ldap-server {|        x {|            search {|                admin-search {|~
                    password "@";|                }|            }|        }|    }|}
`},
	{"juniper_junos.set.conf", "", `
set system license keys key "@"
set snmp v3 usm local-engine user u authentication-md5 authentication-password "@"
set snmp v3 snmp-community x community-name @
set security macsec connectivity-association c pre-shared-key cak "@"
set interfaces pp0 unit 0 ppp-options chap default-chap-secret "@"
set interfaces pp0 unit 0 ppp-options pap local-password "@"
set security ipsec vpn v manual authentication algorithm hmac-md5-96 key ascii-text "@"
set security ipsec vpn v manual encryption key hexadecimal "@"
set access profile p client u firewall-user password "@"
set access profile p client u chap-secret @
set snmp community @ authorization read-only
set snmp community "@" clients 192.0.2.0/24
set snmp trap-group @ version v2
set snmp trap-group "@" targets 192.0.2.1
set snmp v3 snmp-community x community-name "@"
set snmp v3 snmp-community @ security-name y
set snmp v3 usm local-engine user u authentication-md5 authentication-key "$9$@"
set snmp v3 usm local-engine user u privacy-des privacy-password @
set system root-authentication encrypted-password "$6$@"
set system radius-server 192.0.2.1 secret "$9$@"
set system tacplus-server 192.0.2.1 secret @
set system archival configuration archive-sites "ftp://192.0.2.1/x" password "$9$@"
set system ntp authentication-key 1 type md5
set system ntp authentication-key 1 value "@"
set system ntp authentication-key 1 type md5 value @
set system login user a authentication encrypted-password "$1$@"
set security ike policy p pre-shared-key ascii-text "@"
set security ike policy p pre-shared-key hexadecimal @
set security authentication-key-chains key-chain K key 0 secret "@"
set security macsec connectivity-association x pre-shared-key cak "$8$@"
set security ipsec security-association s manual direction bidirectional encryption key ~
ascii-text "@"
set protocols ospf area 0.0.0.0 interface x authentication md5 1 key "@"
set protocols ospf area 0.0.0.0 interface x authentication simple-password @
set protocols bgp group g authentication-key "@"
set protocols isis level 2 authentication-key @
set interfaces pp0 unit 0 ppp-options chap default-chap-secret "@"
set interfaces ge-0/0/7 unit 0 family inet address 192.0.2.1/24 vrrp-group 1 authentication-key @
set groups g snmp community @ authorization read-only
set groups g system root-authentication encrypted-password "@"
set access profile p client c firewall-user password "@"
`},
	{"vyos.conf", "//", `
protocols {|    nhrp {|        tunnel tun7 {|            cisco-authentication @|~
        }|    }|}
service {|    monitoring {|        telegraf {|            influxdb {|~
                authentication {|                    token @|                }|~
            }|        }|    }|}
set protocols nhrp tunnel tun7 cisco-authentication '@'
interfaces {|    macsec macsec7 {|        security {|            mka {|                cak @|~
                ckn aabb|            }|        }|    }|}
pki {|    certificate x {|        private {|            key "@"|        }|    }|}
pki {|    openvpn {|        shared-secret x {|            key "@"|        }|    }|}
system {|    login {|        user u {|            authentication {|~
                encrypted-password "$6$@"|                plaintext-password "@"|            }|~
        }|    }|}
vpn {|    ipsec {|        authentication {|            psk x {|                secret "@"|~
            }|        }|    }|}
vpn {|    ipsec {|        site-to-site {|            peer x {|                authentication {|~
                    pre-shared-secret @|                }|            }|        }|    }|}
interfaces {|    wireguard wg0 {|        private-key "@"|        peer p {|~
            preshared-key "@"|        }|    }|}
interfaces {|    pppoe pppoe0 {|        authentication {|            password "@"|        }|    }|}
interfaces {|    wireless wlan0 {|        security {|            wpa {|~
                passphrase "@"|            }|        }|    }|}
protocols {|    bgp {|        neighbor 192.0.2.1 {|            password "@"|        }|    }|}
protocols {|    ospf {|        interface eth0 {|            authentication {|~
                md5 {|                    key-id 1 {|                        md5-key "@"|~
                    }|                }|                plaintext-password "@"|            }|~
        }|    }|}
high-availability {|    vrrp {|        group x {|            authentication {|~
                password "@"|            }|        }|    }|}
service {|    snmp {|        community @ {|            authorization ro|        }|~
        trap-target 192.0.2.1 {|            community "@"|        }|    }|}
service {|    snmp {|        v3 {|            user u {|                auth {|~
                    encrypted-password "@"|                }|                privacy {|~
                    plaintext-password "@"|                }|            }|        }|    }|}
service {|    dns {|        dynamic {|            name x {|                password "@"|~
            }|        }|    }|}
service {|    https {|        api {|            keys {|                id x {|~
                    key "@"|                }|            }|        }|    }|}
system {|    config-management {|        commit-archive {|~
            location "scp://u:@@192.0.2.1/x"|        }|    }|}
set vpn ipsec authentication psk x secret '@'
set interfaces wireguard wg0 private-key '@'
set service snmp community @ authorization 'ro'
set system login user u authentication encrypted-password '@'
`},
	{"ubiquiti_edgerouter.conf", "/*", `
vpn {|    ipsec {|        site-to-site {|            peer x {|                authentication {|~
                    pre-shared-secret @|                }|            }|        }|    }|}
service {|    snmp {|        community @ {|        }|    }|}
service {|    unms {|        connection wss://x:443+@+allowSelfSigned|    }|}
vpn {|    l2tp {|        remote-access {|            authentication {|~
                local-users {|                    username u {|                        password @|~
                    }|                }|            }|            ipsec-settings {|~
                authentication {|                    pre-shared-secret "@"|                }|~
            }|        }|    }|}
`},
	{"f5_tmsh.conf", "", `
auth user a {|    encrypted-password $6$@|}
auth ldap x {|    bind-pw @|}
auth radius-server x {|    secret $M$@|}
auth tacacs x {|    secret "$M$@"|}
auth password-policy {|    x $M$ab$@|}
ltm monitor http x {|    password @|    username u|}
ltm monitor https x {|    password $M$iE$@==|}
ltm monitor http x {|    send "GET / HTTP/1.1\r\nAuthorization: Basic @\r\n\r\n"|}
ltm monitor radius x {|    secret @|}
ltm monitor snmp-dca x {|    community @|}
ltm profile client-ssl x {|    passphrase $M$@|}
ltm profile client-ssl x {|    cert-key-chain {|        y {|            passphrase @|        }|~
    }|}
ltm persistence cookie x {|    cookie-encryption-passphrase $M$@|}
ltm profile http x {|    encrypt-cookie-secret @|}
net ipsec ike-peer x {|    preshared-key-encrypted @|    preshared-key @|}
sys snmp {|    communities {|        comm-public {|            community-name @|        }|    }|}
sys snmp {|    users {|        u {|            auth-password-encrypted "@"|~
            privacy-password-encrypted @|        }|    }|}
sys snmp {|    traps {|        x {|            community @|            host 192.0.2.1|        }|~
    }|}
sys snmp {|    v2-traps {|        x {|            auth-password @|        }|    }|}
sys httpd {|    ssl-x-pass @|}
sys file ssl-key x {|    passphrase $M$@|}
sys management-x {|    password @|}
apm aaa ldap x {|    admin-encrypted-password $M$@|    admin-password @|}
apm sso form-based x {|    password-source session.sso| password @|}
cm device-group x {|    x-pre-shared-key @|}
`},
	{"paloalto_panos.conf", "</config>", panPlants},
	{"paloalto_panos.set.conf", "", panSetPlants},
	{"paloalto_panos.braces.conf", "}", `
  x {|    ntp-servers {|      primary-ntp-server {|        authentication-type {|~
          symmetric-key {|            algorithm {|              sha1 {|~
                authentication-key @;|              }|            }|          }|        }|      }|~
    }|  }
  x {|    secure-proxy-password @;|  }
  x {|    snmp-setting {|      access-setting {|        version {|          v2c {|~
            snmp-community-string @;|          }|        }|      }|    }|  }
  x {|    headers {|      Authorization {|        value "Basic @";|      }|      X-Custom {|~
        value @;|      }|    }|  }
  x {|    users {|      admin {|        phash $1$@;|      }|    }|  }
  x {|    pre-shared-key {|      key -AQ==@;|    }|  }
  x {|    auth-password @;|    priv-password @;|    community @;|    bind-password @;|~
    secret @;|    api-key @;|    passphrase @;|  }
`},
	{"pfsense.conf", "</pfsense>", sensePlants},
	{"opnsense.conf", "</opnsense>", sensePlants},
	{"extreme_exos.conf", "", `
configure snmpv3 add user "u" authentication md5 localized-key @ privacy aes 128 localized-key @
configure snmpv3 add user "u" engine-id 80 authentication md5 auth-encrypted localized-key @ ~
privacy privacy-encrypted localized-key @
configure snmpv3 add user "u" authentication sha "@" privacy "@"
configure snmpv3 add community "@" name "@" user "v1v2c_ro"
configure snmpv3 add community @ encrypted name @ user "v1v2c_ro"
configure snmpv3 add community "x" encrypted @ name "@" user x
configure snmp add community readonly @
configure snmp add community readonly encrypted "@"
configure snmp add trapreceiver 192.0.2.1 community @
configure snmpv3 add target-addr "x" param "y" ipaddress 192.0.2.1
configure account admin encrypted "$5$@"
create account admin "u" encrypted "@"
create account user u @
configure radius mgmt-access primary shared-secret encrypted "@"
configure radius netlogin primary shared-secret "@"
configure radius 1 shared-secret encrypted @
configure tacacs primary shared-secret encrypted "@"
configure ospf vlan v authentication simple-password "@"
configure ospf vlan v authentication md5 1 "@"
configure ospf vlan v authentication encrypted md5 1 "@"
configure ospf vlan v authentication encrypted simple-password @
configure bgp neighbor 192.0.2.1 password encrypted "@"
configure bgp neighbor 192.0.2.1 password "@"
configure ntp key 1 md5 "@"
configure ntp key 1 md5 encrypted @
configure isis area x authentication md5 @
configure vrrp v vrid 1 authentication simple-password "@"
create netlogin local-user u @
`},
	{"extreme_exos.xml.conf", "</xos-configuration>", `
<x><password>@</password></x>
<x><usmUserAuthKey><![CDATA[@]]></usmUserAuthKey></x>
<x><snmpCommunityName>@</snmpCommunityName></x>
<x><radius_secret>@</radius_secret></x>
<x><sharedSecret>@</sharedSecret></x>
<x><privKey>@</privKey></x>
`},
	{"juniper_screenos.conf", "", `
set admin password "@"
set admin user "u" password "@" privilege "all"
set user "u" password "@"
set user "u" hash-password "@"
set auth-server "x" radius secret "@"
set snmp community "@" Read-Only Trap-on version any
set snmp host "@" 192.0.2.1
set snmp host @ 192.0.2.1 255.255.255.255 trap v2
set ike gateway "x" address 192.0.2.1 Main outgoing-interface "e" preshare "@" proposal "p"
set ike gateway "x" address 192.0.2.1 Main seed-preshare "@"
set nsmgmt init otp @
set nsrp auth password @
set nsrp encrypt password @
set ntp server key-id 1 preshare-key "@"
set interface "x" protocol ospf authentication md5 "@" key-id 1
set interface "x" protocol ospf authentication password "@"
set interface "x" protocol rip authentication md5 "@"
set ppp profile "x" auth secret "@"
set pppoe name "x" username "u" password "@"
set l2tp "x" outgoing-interface x| set l2tp "x" secret "@"
set ssid "x" key-id 1 length 40 method ascii "@" default
set vpn "x" manual 1 2 gateway 192.0.2.1 esp aes128 key "@" auth md5 key "@"
set vpn "x" manual 1 2 gateway 192.0.2.1 esp 3des password @ auth sha-1 password @
`},
	{"checkpoint_gaia.conf", "", `
set user admin password-hash $1$@
set expert-password-hash $6$@
set snmp community @ read-only
add snmp community @ read-only
set snmp traps receiver 192.0.2.1 version v2 community @
add snmp traps receiver 192.0.2.1 version v2 community @
add snmp usm user u security-level authPriv auth-pass-phrase @ privacy-pass-phrase @
add snmp usm user u security-level authPriv auth-pass-phrase-hashed @ privacy-pass-phrase-hashed @
add aaa radius-servers priority 1 host 192.0.2.1 port 1812 secret @ timeout 3
add aaa tacacs-servers priority 1 server 192.0.2.1 key @ timeout 5
set ospf instance default interface eth0 authtype md5 key 1 secret @
set ospf interface eth0 authtype simple @
set bgp external remote-as 1 peer 192.0.2.1 authtype md5 secret @
set bgp external remote-as 1 peer 192.0.2.1 md5 secret @
set pppoe client id 1 user-name u password @
set grub2-password-hash grub.pbkdf2.sha512.10000.@
set vrrp interface eth0 monitored-circuit vrid 1 authtype simple @
set wireless x wpa-psk @
`},
	{"netscaler.conf", "", `
set system user nsroot @ -encrypted
set system user nsroot @ -encrypted -hashmethod SHA512
add system user u @ -encrypted -externalAuth DISABLED
add system user u @
set ns rpcNode 192.0.2.1 -password @ -encrypted -encryptmethod ENCMTHD_3
add snmp community @ ALL
add snmp community "@" GET
add snmp trap generic 192.0.2.1 -version V2 -communityName @ -destPort 162
add snmp trap specific 192.0.2.1 -communityName @
add snmp user u -group g -authType SHA -authpasswd @ -encrypted -privType AES -privpasswd @ ~
-encrypted
add authentication ldapAction x -serverIP 192.0.2.1 -ldapBindDn u -ldapBindDnPassword @ ~
-encrypted -encryptmethod ENCMTHD_3
add authentication radiusAction x -serverIP 192.0.2.1 -radKey @ -encrypted
add authentication tacacsAction x -serverIP 192.0.2.1 -tacacsSecret @ -encrypted
add authentication OAuthAction x -clientID y -clientSecret @
add ssl certKey x -cert y -key z.key -passcrypt "@"
add ssl certKey x -cert y -key z.key -encrypted -passcrypt @
add lb monitor x HTTP-ECV -send "GET /" -customHeaders "Authorization: Basic @\r\n"
add lb monitor x FTP -userName u -password @ -encrypted
add lb monitor x RADIUS -respCode 2 -userName u -password @ -radKey @
add lb monitor x SNMP -snmpCommunity @
add aaa user u -password @ -encrypted
add ipsec profile x -psk @
set ns encryptionParams -method AES256 -keyValue @ -encrypted -encryptmethod ENCMTHD_3
add authentication samlAction x -samlSigningCertName y -x "password=@"
add server u 192.0.2.1 -x @ -encrypted
bind authentication x -secret @
add authentication webAuthAction x -fullReqExpr q{"POST" + "Authorization: Basic @"}
`},
	{"mikrotik_routeros.conf", "", `
/zerotier set zt1 identity="1a2b3c:0:aa11:@" name=zt1
/container envs add key=DB_PASSWORD name=app value=@
/snmp community add addresses=::/0 name=@
/system ntp key add key-id=1 value=@
/system ntp key|add key-id=1 value=@
/system script|add name=s source=":local botToken \"1:@\""
/system script|add name=s source=":global DynDNSKey \"@\"; :local key @;"
/system script|add name=s source={:set myPass "@"}
/system script|add name=s source="/tool fetch url=\"https://api.telegram.org/bot1:@/send\""
/zerotier|set zt1 identity="1234567890:0:abcdef:@"
/container envs|add key=DB_PASS name=x value=@
/interface lte|set [ find ] pin=@
/tool sms|set secret=@
/certificate scep-server|add challenge-password=@
/tool netwatch|add up-script="/tool fetch url=\"https://192.0.2.1/x\?token=@\""
/user add name=x password=@ group=full
/ppp secret|add name=a password=@ service=l2tp
/ppp secret|add name=a password=\|    "@ x" service=l2tp
/ip ipsec identity|add peer=x secret="@ y"
/interface wireguard|add name=wg private-key="@" listen-port=1
/interface wireguard peers|add preshared-key="@" public-key="x"
/interface wireless security-profiles|set [ find default=yes ] wpa-pre-shared-key=@ ~
wpa2-pre-shared-key="@"
/interface wifi security|add name=s passphrase=@
/interface wifi|add name=s security.passphrase="@ x"
/interface wifi configuration|add name=s security.ft=yes .passphrase=@
/caps-man security|add name=s passphrase=@
/snmp community|set [ find default=yes ] name=@
/snmp community|add addresses=::/0 authentication-password=@ encryption-password=@ name=@
/snmp|set enabled=yes trap-community=@
/radius|add address=192.0.2.1 secret=@ service=login
/interface l2tp-client|add connect-to=x name=y ipsec-secret=@ password=@ user=z
/interface l2tp-server server|set use-ipsec=yes ipsec-secret=@
/interface pppoe-client|add name=y password=@ user=z
/interface ovpn-client|add name=y password=@
/interface vrrp|add name=y password=@ authentication=ah
/routing bgp connection|add name=y tcp-md5-key=@
/routing ospf interface-template|add auth=md5 auth-key=@ auth-id=1
/routing ospf interface|add authentication-key=@
/routing rip interface-template|add password=@
/tool e-mail|set address=x password=@ user=y
/system ntp key|add id=1 key=@
/ip hotspot user|add name=x password=@
/system script|add name=x source=":local password \"@\"\r\|    \n/tool fetch url=\"https://u:@@x/\""
/system script|add name=x source="/tool fetch http-header-field=\"Authorization: Bearer @.@.@\" ~
url=x"
/system scheduler|add name=x on-event="/tool fetch url=ftp://x user=u password=@ src-path=y"
/interface lte apn|add apn=x password=@ user=y
/interface dot1x client|add eap-methods=eap-peap password=@ interface=x
/user-manager router|add name=x shared-secret=@
/user-manager user|add name=x password=@ otp-secret=@
/interface macsec|add cak=@ ckn=x
/container envs|add key=DB_PASSWORD name=e value=@
`},
	{"openwrt.conf", "", `
config wifi-iface 'x'|	option key '@'
config wifi-iface 'x'|	option sae_password '@'
config interface 'x'|	option password '@'
config interface 'x'|	option private_key '@'
config wireguard_wg0|	option preshared_key '@'
config service 'x'|	option service 'y'|	option password '@'
config snmpd 'x'|	option community '@'
`},
	{"cisco_like.conf", "", `
router bgp 1| neighbor 192.0.2.1 password @
interface eth1| ip ospf message-digest-key 1 md5 @
snmp-server community @ ro
username a password 7 @
tacacs-server key 7 @
enable secret 5 @
`},
	{"yamaha.conf", "", `
pp select 2| pp auth username u @
tunnel select 2| ipsec ike pre-shared-key 2 text @
tunnel select 2| ipsec ike pre-shared-key 2 @
login user x @
login password encrypted @
snmp community read-only @
`},
	{"dlink_ds.conf", "", `
create account user x|@|@
create snmp community @ view CommunityView read_write
config radius add 1 192.0.2.1 key @ default
`},
	{"extreme_vsp.conf", "end", `
radius server host 192.0.2.1 key @
ntp authentication-key 1 @ type sha1
snmp-server community-by-index second community @
`},
	{"sonicwall.conf", "", `
    user local|        user bob|            password 4,@
    snmp|        get-community-name @|        trap-community-name @
    snmp|        community-name "@"
    snmp|        user u|            authentication md5 auth-key 4,@|~
            encryption aes encrypt-key 4,@
    vpn policy site-to-site x|        auth-method shared-secret|            shared-secret 4,@
    vpn x|        authentication sha1 authentication-key @|        encryption 3des encryption-key @
    radius|        server host 192.0.2.1|            shared-secret 4,@
    ldap|        server x|            bind-password 4,@|            login-password @
    tacacs|        server x|            shared-secret @
    administration|        admin password 4,@
    wireless|        wlan wpa passphrase @|        psk passphrase @
    interface X1|        ip-assignment WAN pppoe|            password 4,@
    high-availability|        encryption-key @
    ftp x|        cloud-backup ftp://u:@@192.0.2.1
    log|        automation|            smtp password @|            pop-before-smtp password @
    routing|        ospf|            message-digest-key 1 md5 4,@
    dynamic-dns profile x|        password @
`},
	{"sonicwall.exp.conf", "", `
snmpCommunity=@
adminPassword=@
ipsecPreSharedKey_0=@
ipsecPhase2Key_0=@
ldapBindPassword_0=@
radiusSharedSecret=@
userPwd_0=@
psk_0=@
wlanWpaPsk=@
snmpGetCommunity=@
ftpPasswd=@
wepKey_1=@
privateKey_0=@
`},
	{"ubiquiti_airos.conf", "", `
users.1.password=$6$@
users.2.password=@
wpasupplicant.profile.1.network.1.psk=@
wpasupplicant.profile.1.network.1.password=@
aaa.1.wpa.psk=@
aaa.1.radius.auth.1.secret=@
snmp.community=@
wireless.1.wpa.key=@
wireless.1.security.1.key=@
unms.uri=wss://x:443+@+allow
pppd.1.password=@
httpd.key.private=@
ppp.1.secret=@
sshd.auth.key.1.value=x| system.cfg.password=@
dyndns.1.password=@
`},
}

// ciscoPlants are those of Cisco's form that others have too.
const ciscoPlants = `
logging x| ftp://bob:@@192.0.2.1/x
banner exec ^CAuthorization: Bearer @.@.@^C
banner motd ^Cthe password is @^C
`

// fastpathPlants are those of FASTPATH, under any brand.
const fastpathPlants = `
username "a" password @ encrypted
username a password @ level 15 encrypted
users passwd "a" encrypted @
enable password @ encrypted
enable passwd encrypted @
snmp-server community "@" ro
snmp-server community @ rw ipaddress 192.0.2.1
snmp-server host 192.0.2.1 traps version 2 "@"
snmp-server host 192.0.2.1 traps version 1 "@"
snmp-server host 192.0.2.1 informs version 2 @
snmptrap "@" ipaddr 192.0.2.1
snmptrap @ 192.0.2.1
snmp-server v3-host 192.0.2.1 x traps| snmp-server user "u" g auth-md5-key @ priv-des-key @
snmp-server user "u" g auth-sha @ priv-des @
radius server key auth "192.0.2.1" encrypted @
radius server key acct "192.0.2.1" encrypted @
radius server auth 192.0.2.1| key 7 "@"
radius-server key "@"
radius-server host 192.0.2.1| key "@"
tacacs-server host 192.0.2.1|key "@"
tacacs-server key encrypted "@"
tacacs-server key 7 "@"
sntp authentication-key 1 md5 @
interface 0/7|ip ospf authentication encrypt @ 1
interface 0/7|ip ospf authentication simple @
interface 0/7|ip ospf message-digest-key 1 md5 @
interface 0/7|ip vrrp 1 authentication simple @
interface 0/7|ip rip authentication simple @
router bgp 1|neighbor 192.0.2.1 password @
dot1x supplicant user x| line telnet|password @ encrypted
line ssh|password encrypted @
ip http x| copy ftp://u:@@192.0.2.1/x
`

// foundryPlants are those of IronWare.
const foundryPlants = `
enable super-user-password 8 @
enable port-config-password @
enable read-only-password 8 @
enable telnet password 8 @
username a password 8 @
username a privilege 4 password @
username a create-password @
snmp-server community 2 @ ro
snmp-server community @ rw
snmp-server host 192.0.2.1 version v2c 2 @
snmp-server host 192.0.2.1 version v1 @
snmp-server host 192.0.2.1 2 @
snmp-server host 192.0.2.1 @
snmp-server user u g v3 encrypted auth md5 @ priv encrypted des @
snmp-server user u g v3 auth sha @ priv aes @
radius-server key 2 @
radius-server host 192.0.2.1 auth-port 1812 acct-port 1813 default key 2 @
tacacs-server key 2 @
tacacs-server host 192.0.2.1 auth-port 49 default key @
interface ve 7| ip ospf authentication-key 2 @
interface ve 7| ip ospf md5-authentication key-id 1 key 2 @
interface ve 7| ipv6 ospf authentication ipsec spi 300 esp sha1 encryptb64 @
interface ve 7| ipv6 ospf authentication ipsec spi 300 esp sha1 @
interface ve 7| ip vrrp-extended auth-type simple-text-auth @
interface ve 7| ip vrrp auth-type md5-auth @
router isis| auth-key 2 @
router bgp| neighbor 192.0.2.1 password 2 @
router ospf| area 0 virtual-link 192.0.2.1 md5-authentication key-id 1 key 2 @
ntp| authentication-key key-id 1 md5 2 @
`

// vrpPlants are those of Huawei's and H3C's.
const vrpPlants = `
header shell #ftp://u:@@192.0.2.1/x#
 ftp-server x ftp://u:@@192.0.2.1/x
`

// arubaPlants are those of Aruba's wireless systems.
const arubaPlants = `
enable secret "@"
wlan ssid-profile "x"|   wpa-passphrase @
wlan ssid-profile "x"|   wpa-hexkey @
wlan ssid-profile "x"|   wepkey1 @
aaa authentication-server radius "x"|   key @
aaa authentication-server radius "x"|   host 192.0.2.1|   key "@ x"
aaa authentication-server tacacs "x"|   key @
aaa authentication-server ldap "x"|   admin-passwd @
wlan auth-server x| ip 192.0.2.1| key @
snmp-server community @
snmp-server community "@"
snmp-server user u auth-prot sha @ priv-prot AES @
snmp-server host 192.0.2.1 version 2c @ udp-port 162
snmp-server host 192.0.2.1 version 1 name @
crypto isakmp key "@" address 192.0.2.1 netmask 255.255.255.255
masterip 192.0.2.1 ipsec @
vrrp 1|   authentication @
ap system-profile "x"|   bkup-passwords "@"|   ap-console-password @
local-userdb add username u password @
provision-ap x|   pap-passwd @|   ikepsk "@"
virtual-controller-key @
hash-mgmt-user admin password hash @
wlan mesh-cluster-profile x|   wpa-passphrase @
vpn-dialer default-dialer|   ike authentication PRE-SHARE @
ntp authentication-key 1 md5 @
`

// fortiPlants are those of Fortinet's.
const fortiPlants = `
config system auto-script|edit "b"|set script "execute backup config ftp f 192.0.2.1 u @"|next|end
config system auto-script|edit "b"|set script "execute backup full-config sftp f h u @ @"|next|end
config system auto-script|edit "b"|set script "execute backup config tftp f 192.0.2.1 @"|next|end
config system automation-action|edit "b"|set script "get system status|~
execute restore config ftp f 192.0.2.1 u @"|next|end
config system automation-action|edit "b"|set uri "hooks.slack.com/services/T0/B0/@"|next|end
config system automation-action|edit "b"|set uri "api.telegram.org/bot1:@/sendMessage"|next|end
config system automation-action|edit "b"|set uri "discord.com/api/webhooks/1/@"|next|end
config vpn ssl web portal|edit "p"|config bookmark-group|edit "g"|config bookmarks|edit "b"|~
config form-data|edit "password"|set value "@"|next|end|next|end|next|end|next|end
config system lte-modem|set pin @|set passwd @|end
config system automation-action|edit "a"|set http-body "token=@"|next|end
config system automation-action|edit "a"|set http-body "{\"token\": \"@\", \"x\": 1}"|next|end
config system automation-action|edit "a"|set uri "https://192.0.2.1/hook?token=@"|next|end
config user local|edit "a"|set two-factor-seed @|next|end
config extender-controller extender|edit "a"|set sim1-pin-code @|next|end
config system automation-action|edit x|set http-headers "Authorization: Basic @"|next|end
config system automation-action|edit x|set headers "X-API-Key: @"|next|end
config system automation-action|edit x|config http-headers|edit 1|set key "Authorization"|~
set value "Bearer @"|next|end|next|end
config system automation-action|edit x|set http-body "{ \"token\": 1, \"password\": \"@\" }"|next|~
end
config system automation-action|edit x|set uri "https://u:@@192.0.2.1/x?a=b"|next|end
config system automation-action|edit x|set aws-api-key @|set azure-api-key @|set gcp-x-key @|next|~
end
config system sdn-connector|edit x|set access-key "AKIAX"|set secret-key @|set secret-token @|~
set api-key @|set client-secret ENC @|next|end
config vpn ipsec phase1-interface|edit x|set psksecret ENC @|set psksecret-remote @|~
set authpasswd @|set ppk-secret @|set group-authentication-secret @|next|end
config vpn ipsec phase1-interface|edit x|set psksecret "@"|next|end
config vpn ipsec manualkey|edit x|set authkey @-@-@|set enckey @-@|next|end
config user local|edit x|set passwd ENC @|set passwd @|next|end
config user radius|edit x|set secret ENC @|set secondary-secret @|set tertiary-secret "@"|~
set rsso-secret @|next|end
config user tacacs+|edit x|set key ENC @|set secondary-key @|set key @|next|end
config user ldap|edit x|set password ENC @|set password @|next|end
config user fsso|edit x|set password @|set password2 ENC @|next|end
config user group|edit x|config guest|edit y|set password @|next|end|next|end
config system snmp community|edit 1|set name "@"|next|end
config system snmp user|edit x|set auth-pwd @|set priv-pwd ENC @|next|end
config system ha|set password ENC @|set key @|end
config system admin|edit x|set password @|set old-password @|next|end
config system ntp|config ntpserver|edit 1|set key ENC @|set key @|next|end|end
config system ddns|edit 1|set ddns-password @|set ddns-key @|set ddns-keyname "x"|next|end
config system email-server|set password @|set username "u"|end
config system autoupdate tunneling|set password @|end
config system fortiguard|set proxy-password @|end
config system central-management|set enc-algorithm high|set fmg-source-ip 192.0.2.1|end|~
config system tos-based-priority|set password @|end
config system interface|edit x|set password @|set pppoe-password ENC @|set ike-saml-server x|~
set auth-password @|next|end
config system lte-modem|set passwd @|set extra-init x|end
config system modem|set passwd1 @|set ppp-password @|end
config router bgp|config neighbor|edit 192.0.2.1|set password ENC @|set password @|next|end|end
config router ospf|config ospf-interface|edit x|set authentication-key @|set md5-key 1 @|~
set md5-keychain x|config md5-keys|edit 1|set key-string @|next|end|next|end|end
config router key-chain|edit K|config key|edit 1|set key-string @|next|end|next|end
config router isis|set auth-password-l1 @|set auth-password-l2 ENC @|end
config wireless-controller vap|edit x|set passphrase @|set sae-password @|set key ENC @|~
set secret @|next|end
config wireless-controller vap|edit x|config mpsk-key|edit k|set passphrase @|next|end|next|end
config wireless-controller wtp-profile|edit x|set login-passwd @|next|end
config switch-controller snmp-community|edit 1|set name "@"|next|end
config switch-controller managed-switch|edit x|config snmp-community|edit 1|set name "@"|next|end|~
next|end
config switch-controller switch-profile|edit x|set login-passwd @|next|end
config vpn certificate local|edit x|set password @|~
set private-key "-----BEGIN ENCRYPTED PRIVATE KEY-----|@|x@|-----END ENCRYPTED PRIVATE KEY-----"|~
next|end
config vpn certificate local|edit x|set private-key "-----BEGIN OPENSSH PRIVATE KEY-----|@|x@|~
-----END OPENSSH PRIVATE KEY-----"|set scep-password @|next|end
config firewall ssh local-key|edit x|set private-key "-----BEGIN OPENSSH PRIVATE KEY-----|@|~
-----END OPENSSH PRIVATE KEY-----"|set password ENC @|next|end
config system api-user|edit x|set api-key ENC @|next|end
config system accprofile|edit x|set description "psk: @"|next|end
config log fortianalyzer setting|set preshared-key @|end
config log syslogd setting|set custom-field-name x|end|config log disk setting|~
set uploadpass ENC @|set uploadpass @|end
config user saml|edit x|set reauth disable|next|end|config vpn pptp|set x-secret @|end
config vpn l2tp|set x-psk @|end
config system vxlan|edit x|set evpn-x-password @|next|end
config system pppoe-interface|edit x|set password ENC @|next|end
config user krb-keytab|edit x|set keytab "@"|next|end
config system sso-admin|edit x|set sso-attribute-value "y"|next|end|config web-proxy profile|~
edit x|config headers|edit 1|set name "Authorization"|set content "@"|next|end|next|end
config firewall access-proxy|edit x|config api-gateway|edit 1|set token @|next|end|next|end|~
config user security-exempt-list|set auth-token @|end
`

// panPlants are those of PAN-OS.
const panPlants = `
<ntp><authentication-type><symmetric-key><algorithm><sha1>~
<authentication-key>@</authentication-key></sha1></algorithm></symmetric-key>~
</authentication-type></ntp>
<x><secure-proxy-password>@</secure-proxy-password></x>
<x><snmptrap><entry name="t"><version><v2c><server><entry name="s"><manager>192.0.2.1</manager>~
<community>@</community></entry></server></v2c></version></entry></snmptrap></x>
<x><snmp-setting><access-setting><version><v2c><snmp-community-string>@</snmp-community-string>~
</v2c></version></access-setting></snmp-setting></x>
<x><v3><users><entry name="u"><authpwd>@</authpwd><privpwd>@</privpwd></entry></users></v3></x>
<http><entry name="h"><format><config><headers><entry name="Authorization"><value>Basic @</value>~
</entry></headers></config></format></entry></http>
<http><entry name="h"><format><config><headers><entry name="X-Vendor"><value>@</value></entry>~
</headers></config></format></entry></http>
<http><entry name="h"><server><entry name="s"><username>u</username><password>@</password>~
</entry></server></entry></http>
<x><http-header-insertion><entry name="x"><type><entry name="y"><headers><entry name="z">~
<header>X-Tenant</header><value>@</value></entry></headers></entry></type></entry>~
</http-header-insertion></x>
<users><entry name="admin"><phash>$1$@</phash></entry><entry name="b"><phash>*@</phash></entry>~
</users>
<x><pre-shared-key><key>-AQ==@</key></pre-shared-key></x>
<x><certificate><entry name="c"><private-key>-AQ==@</private-key></entry></certificate></x>
<x><certificate><entry name="c"><private-key>-----BEGIN RSA PRIVATE KEY-----|@|x@|~
-----END RSA PRIVATE KEY-----|</private-key></entry></certificate></x>
<x><auth-password>@</auth-password><priv-password>@</priv-password>~
<bind-password>@</bind-password></x>
<x><secret>@</secret><api-key>@</api-key><passphrase>@</passphrase>~
<client-secret>@</client-secret></x>
<x><bgp><auth-profile><entry name="a"><secret>@</secret></entry></auth-profile></bgp></x>
<x><ospf><auth-profile><entry name="a"><password>@</password></entry><entry name="b"><md5><entry ~
name="1"><key>@</key></entry></md5></entry></auth-profile></ospf></x>
<x><hmac-sha1><key>@</key></hmac-sha1><esp><encryption><key>@</key></encryption></esp></x>
<x><auth-key>@</auth-key><ha><encryption><x-key>y</x-key></encryption></ha></x>
<x><mfa-vendor-x><entry name="duo-secret-key"><value>@</value></entry></mfa-vendor-x></x>
<x><token>@</token><agent-user-override-key>@</agent-user-override-key>~
<uninstall-password>@</uninstall-password><passcode>@</passcode></x>
<x><community-string>@</community-string><ro-community>@</ro-community><lsvpn-x><psk>@</psk>~
</lsvpn-x></x>
<x><destination>ftp://u:@@192.0.2.1/x</destination><collector-passwd>@</collector-passwd></x>
<x><proxy-password>@</proxy-password><snmpv3-auth><authpass>@</authpass></snmpv3-auth></x>
`

// panSetPlants are those of PAN-OS as commands.
const panSetPlants = `
set deviceconfig system ntp-servers primary-ntp-server authentication-type symmetric-key ~
algorithm sha1 authentication-key @
set deviceconfig system secure-proxy-password @
set deviceconfig system snmp-setting access-setting version v2c snmp-community-string @
set deviceconfig system snmp-setting access-setting version v3 users u authpwd @
set deviceconfig system snmp-setting access-setting version v3 users u privpwd "@ x"
set shared log-settings snmptrap t version v2c server s community @
set shared log-settings snmptrap t version v3 server s authpwd @
set shared log-settings http h format config headers Authorization value "Basic @"
set shared log-settings http h format config headers Authorization value "Key @"
set shared log-settings http h format config headers X-Vendor value @
set shared log-settings http h server s password @
set mgt-config users admin phash $1$@
set mgt-config users admin phash @
set network ike gateway g authentication pre-shared-key key -AQ==@
set shared certificate c private-key @
set shared certificate c private-key "-----BEGIN RSA PRIVATE KEY-----|@|x@|~
-----END RSA PRIVATE KEY-----|"
set shared server-profile ldap l bind-password @
set shared server-profile radius r server s secret @
set shared server-profile tacplus r server s secret @
set network virtual-router default protocol bgp auth-profile a secret @
set network virtual-router default protocol ospf auth-profile a md5 1 key @
set network virtual-router default protocol ospf auth-profile a password @
set network virtual-router default protocol rip auth-profile a md5 1 key @
set network tunnel ipsec t manual-key esp encryption key @
set network tunnel ipsec t manual-key esp authentication sha1 key @
set deviceconfig high-availability x api-key @
set deviceconfig x auth-password @
set deviceconfig x priv-password @
set deviceconfig x passphrase @
set deviceconfig system panorama auth-key @
`

// sensePlants are those of pfSense and OPNsense.
const sensePlants = `
<dnsupdates><dnsupdate><keyname>k</keyname><keydata>@</keydata></dnsupdate></dnsupdates>
<installedpackages><snortglobal><oinkmastercode>@</oinkmastercode><etpro_code>@</etpro_code>~
</snortglobal><suricata><config><oinkcode>@</oinkcode><etprocode>@</etprocode></config></suricata>~
</installedpackages>
<sshdata><sshkeyfile><filename>k</filename><xmldata>@</xmldata></sshkeyfile></sshdata>
<system><user><name>a</name><bcrypt-hash>$2y$10$@</bcrypt-hash></user><user>~
<sha512-hash>@</sha512-hash></user></system>
<system><user><password><![CDATA[@]]></password><md5-hash>@</md5-hash><nt-hash>@</nt-hash>~
<otp_seed>@</otp_seed></user></system>
<system><user><ipsecpsk>@</ipsecpsk><apikeys><item><key>@</key><secret>$6$@</secret></item>~
</apikeys></user></system>
<cert><refid>x</refid><crt>y</crt><prv>@</prv></cert>
<ca><prv>@</prv></ca>
<system><authserver><ldap_bindpw>@</ldap_bindpw><radius_secret>@</radius_secret></authserver>~
</system>
<snmpd><rocommunity>@</rocommunity><rwcommunity>@</rwcommunity><trapstring>@</trapstring></snmpd>
<ipsec><phase1><pre-shared-key>@</pre-shared-key></phase1><mobilekey>~
<pre-shared-key>@</pre-shared-key></mobilekey></ipsec>
<openvpn><openvpn-server><shared_key>@</shared_key><tls>@</tls></openvpn-server><openvpn-client>~
<auth_pass>@</auth_pass><proxy_passwd>@</proxy_passwd></openvpn-client></openvpn>
<ppps><ppp><password>@</password><secret>@</secret></ppp></ppps>
<dyndnses><dyndns><password>@</password><updateurl>https://u:@@192.0.2.1/x</updateurl></dyndns>~
</dyndnses>
<notifications><smtp><password>@</password></smtp><telegram><api>@</api></telegram><pushover>~
<apikey>@</apikey><userkey>@</userkey></pushover><slack><api>@</api></slack></notifications>
<wireguard><client><privkey>@</privkey><psk>@</psk></client></wireguard>
<installedpackages><wireguard><tunnels><item><privatekey>@</privatekey></item></tunnels><peers>~
<item><presharedkey>@</presharedkey></item></peers></wireguard></installedpackages>
<captiveportal><zone><radiuskey>@</radiuskey><radiuskey2>@</radiuskey2>~
<radmac_secret>@</radmac_secret><privatekey>@</privatekey></zone></captiveportal>
<hasync><password>@</password></hasync>
<virtualip><vip><mode>carp</mode><password>@</password></vip></virtualip>
<dhcpd><lan><ddnsdomainkey>@</ddnsdomainkey><omapi_key>@</omapi_key></lan></dhcpd>
<installedpackages><acmecertificates><item><accountkey>@</accountkey><cf_token>@</cf_token>~
<dns_cfkey>@</dns_cfkey></item></acmecertificates></installedpackages>
<installedpackages><freeradius><config><varusersmotpinitsecret>@</varusersmotpinitsecret>~
<varclientsharedsecret>@</varclientsharedsecret><varuserspassword>@</varuserspassword></config>~
</freeradius></installedpackages>
<installedpackages><haproxy><x><statspassword>@</statspassword>~
<monitor_authpass>@</monitor_authpass></x></haproxy></installedpackages>
<installedpackages><zabbixagentlts><config><tlspsk>@</tlspsk></config></zabbixagentlts>~
</installedpackages>
<installedpackages><frr><config><bgp_password>@</bgp_password><passwordfield>y</passwordfield>~
</config></frr></installedpackages>
<OPNsense><monit><general><httpdPassword>@</httpdPassword></general></monit><Swanctl>~
<preSharedKeys><preSharedKey><Key>@</Key></preSharedKey></preSharedKeys></Swanctl></OPNsense>
<OPNsense><proxy><x><snmp_password>@</snmp_password></x></proxy><backup><x>~
<GDriveP12key>@</GDriveP12key><GDrivePassword>@</GDrivePassword></x></backup></OPNsense>
<ntpd><serverauthkey>@</serverauthkey></ntpd>
<wireless><wpa><passphrase>@</passphrase></wpa><wep><key><value>@</value></key></wep><wpa2>~
<auth_server_shared_secret>@</auth_server_shared_secret></wpa2></wireless>
`

// platformHeads make a file of its own where a file of the test data can't be added to.
var platformHeads = map[string]string{"sonicwall.exp.conf": "shortProdName=TZ " +
	"470\nbuildNum=7.1.2\nfirewallName=a\n"}

// whole joins the rows of a table that go on in the next line, which "~" at their end says.
func whole(rows string) string { return strings.ReplaceAll(rows, "~\n", "") }

// TestPlanted: wherever a secret stands it is not to be seen, neither in its line nor in a path,
// and no fingerprint is another one because secrets are looked for.
func TestPlanted(t *testing.T) {
	for _, p := range slices.Concat(plants, siblings) {
		base := platformHeads[p.file]
		if base == "" {
			base = strings.ReplaceAll(read(t, p.file), "\r\n", "\n")
		}
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

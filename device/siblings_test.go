package device_test

import (
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// siblings are more rows for TestPlanted: for each form of configuration the places that makers
// document beside those of plants.
var siblings = []struct{ file, above, lines string }{
	{"cisco_ios.conf", "end", `
mpls ldp neighbor vrf X 192.0.2.1 password 0 @
l2tp-class C| authentication| password 7 @
l2tp-class C| digest secret 7 @ hash SHA1
router lisp| site S|  authentication-key 7 @
router lisp| ipv4 etr map-server 192.0.2.1 key 7 @ hash-function sha2
ip mobile secure host 192.0.2.1 spi 100 key hex @ algorithm md5
ip mobile host 192.0.2.1 spi 100 key ascii @
aaa attribute list L| attribute type tunnel-password "@"
telephony-service| xml user u password 6 @ 15
dot1x credentials P| username u| password 7 @
cwmp agent| management server password 7 @
cwmp agent| connection request password @
gateway| security password 7 @ level all
event manager applet A| action 1.0 mail server "bob:@@192.0.2.1" to "ops" from "b"
event manager applet A| action 1.0 cli command "set token @"
event manager applet A| action 2.0 set api_key "@"
event manager applet A| action 2.0 set _password @
event manager environment slack_url https://hooks.slack.com/services/T0/B0/@
event manager environment _token @
crypto pki import T pkcs12 flash: password @
crypto pki server S| database archive pkcs12 password 7 @
crypto ikev2 keyring K| peer p|  pre-shared-key local 6 @
crypto ikev2 profile P| aaa authorization group psk list L password 6 @
crypto isakmp profile P| keyring K| key 6 @
mka key-chain| key chain M macsec| key 1000|  key-string 6 @
iox| app-env API_TOKEN=@
call-home| http-proxy http://u:@@192.0.2.1 port 80
netconf-yang| x auth-token @
radius-server attribute 4 x| pac key 7 @
telemetry x| transport-profile p|  client-secret @
wireless x| hmac @
`},
	{"cisco_nxos.conf", "", `
callhome|  destination-profile x http https://u:@@192.0.2.1/x
key chain K|  key 1|    key-string 6 @
key chain K tcp|  key 1|    key-string 7 @
evpn multisite x| peer-password 7 @
ldap-server host 192.0.2.1 rootDN "cn=x" password 7 @ port 389
tunnel-encryption must-secure| key chain T tunnel-encryption|  key 1000|    key-octet-string 7 @
lisp| ip lisp etr map-server 192.0.2.1 key 3 @
telemetry| destination-group 1|  certificate c token @
bgp x| neighbor 192.0.2.1|    password 7 @
snmp-server host 192.0.2.1 informs version 2c @ udp-port 163
`},
	{"cisco_asa.conf", "Cryptochecksum", `
webvpn| smart-tunnel auto-signon x| sso-server s type siteminder|  policy-server-secret @
crypto ikev1 x| isakmp key @ address 192.0.2.1
tunnel-group X webvpn-attributes| x client-secret @
group-policy X internal| vpn-x password-storage disable| http-proxy-password @
dynamic-access x| certificate x passphrase @
ldap attribute-map m|aaa-server X (in) host 192.0.2.1| sdi-shared-secret @
crypto map m 1 set session-key inbound esp 256 cipher @ authenticator @
auth-prompt x| kerberos-x keytab @
flow-export x| api-token @
`},
	{"cisco_xr.conf", "end", `
snmp-server host 192.0.2.1 informs version 1 clear @
snmp-server vrf M| host 192.0.2.1 version 2c @
snmp-server user u g v3 auth md5 clear @ priv des56 clear @ SystemOwner
snmp-server vrf M| host 192.0.2.1 traps version 1 encrypted @ udp-port 200
snmp-server community-map encrypted @ context c
tacacs source-interface x|tacacs-server host 192.0.2.1 port 49| key 6 @
aaa group server radius R| server-private 192.0.2.1 auth-port 1812 acct-port 1813|  key 7 @
radius-server host 192.0.2.1| authentication port 1812 key 7 @
macsec| key chain K macsec|  key 01|   key-string password6 @ cryptographic-algorithm aes-256-cmac
key chain K| macsec|  key 01|   key-string password 7 @ cryptographic-algorithm aes-128-cmac
mpls ldp| neighbor|  password clear @
mpls ldp| neighbor 192.0.2.1:0 password clear @
router bgp 1| neighbor-group X|  password clear @
router bgp 1| neighbor 192.0.2.1|  password inheritance-disable|  keychain K|  password 6 @
router ospf 1| authentication-key clear @
router ospf 1| area 0|  virtual-link 192.0.2.1|   authentication-key encrypted @
router ospf 1| area 0|  virtual-link 192.0.2.1|   message-digest-key 1 md5 clear @
router pim| address-family ipv4|  hello-password @
router isis 1| lsp-password text encrypted @ level 1 send-only
ssh x|username u| group g| secret 8 @
crypto ikev2| keyring K|  peer p|   pre-shared-key clear @
keyring K| peer p|  pre-shared-key password @
ppp chap password encrypted @
interface x| ppp pap sent-username u password encrypted @
vrrp x| authentication text @
rsvp| keychain| interface x|  authentication|   key-source x|   auth-key @
ntp| authentication-key 1 md5 clear @
ntp| authentication-key 1 sha2 encrypted @
ntp| authentication-key 1 cmac encrypted @
http client password encrypted @
call-home| http-proxy 192.0.2.1 port 80|  password 7 @
`},
	{"dell_os10.conf", "", `
system-user linuxadmin password $6$@$x
username a password ** role sysadmin priv-lvl 15|username b password @ role netadmin
radius-server host 192.0.2.1 key 9 @
radius-server host tls 192.0.2.1 security-profile p key @
radius-server host 192.0.2.1 auth-port 1 key 0 @
tacacs-server host 192.0.2.1 key 9 @
snmp-server community @ ro
snmp-server host 192.0.2.1 traps version 2c @ udp-port 162
snmp-server host 192.0.2.1 vrf management informs version 2c @
snmp-server user u g 3 encrypted auth sha @ priv aes @
snmp-server user u g 3 auth md5 @ priv des @
snmp-server user u g 3 localized auth sha @ priv aes @
router bgp 1| neighbor 192.0.2.1|  password 9 @
router bgp 1| template t|  password @
interface vlan7| ip ospf message-digest-key 1 md5 @
interface vlan7| ip ospf authentication-key @
interface vlan7| vrrp-group 1|  authentication-text @
interface vlan7| ipv6 ospf authentication ipsec spi 256 md5 @
interface vlan7| ipv6 ospf encryption ipsec spi 256 esp 3des @ md5 @
ntp authentication-key 1 md5 9 @
ntp authentication-key 1 sha1 @
ntp authentication-key 1 sha2-256 9 @
bootloader protect enable username root password @
bootloader x|enable password 0 @ priv-lvl 15
enable password sha-512 $6$@ priv-lvl 15
crypto cert import cert-file x password @
crypto security-profile p| pkcs12-passphrase @
vrrp-group 1| authentication-text @
uplink x|rest api token-secret @
telemetry| x|  token @
nve| controller ovsdb|  hmac-key @
smartfabric x| key 9 @
isns x|iscsi chap password @
`},
	{"dell_os9.conf", "end", `
ntp authentication-key 1 md5 7 @
snmp-server user u g 3 encrypted auth md5 @ priv des56 @
interface Vlan 7| vrrp-group 1|  authentication-type simple 7 @
interface Vlan 7| ip rip authentication key-string @
isis x| isis password hmac-md5 7 @
router isis| domain-password hmac-md5 @
router isis| area-password 7 @
boot-access password type 7 @
ip ftp password 7 @
ip scp x| password 7 @
crypto x|ipv6 ospf authentication ipsec spi 256 md5 7 @
radius-server host 192.0.2.1 key 7 @
reload x|ntp server 192.0.2.1 key 1|tacacs-server host 192.0.2.1 key 7 @
`},
	{"a10.conf", "end", `
admin a|  password encrypted @
enable-password encrypted @
snmp-server community read @
snmp-server SNMPv1-v2c user u|  community read encrypted @
snmp-server SNMPv1-v2c user u|  community read @
snmp-server SNMPv3 user u group g v3 auth sha @ priv aes @
snmp-server SNMPv3 user u group g v3 auth sha auth-encrypted @ priv aes priv-encrypted @
snmp-server host 192.0.2.1 version v2c @
radius-server host 192.0.2.1 secret encrypted @ auth-port 1812
tacacs-server host 192.0.2.1 secret secret-encrypted @ port 49
aam authentication server radius r|  host 192.0.2.1|  secret encrypted @
aam authentication server ldap l|  admin-dn x|  admin-secret encrypted @
aam authentication account kerberos-spn k|  password encrypted @
aam authentication relay http-basic x| client-secret encrypted @
aam jwt-authorization j| jwt-secret encrypted @
aam authentication saml x| signing-secret encrypted @
router bgp 1|  neighbor 192.0.2.1 password encrypted @
router ospf 1|  area 0 virtual-link 192.0.2.1 message-digest-key 1 md5 encrypted @
interface ve 7|  ip ospf authentication-key encrypted @
interface ve 7|  ip ospf message-digest-key 1 md5 encrypted @
interface ve 7|  isis password @ level-2
vrrp-a common|  passphrase encrypted @
ntp auth-key M 1 ascii encrypted @
ntp auth-key SHA 1 hex @
ntp auth-key SHA1 2 ascii @
vpn ike-gateway g|  preshare-key encrypted @
vpn ike-gateway g|  auth-method preshare-key encrypted @
vpn ike-gateway g|  key x key-passphrase encrypted @
slb template client-ssl c|  key k passphrase encrypted @
slb template client-ssl c|  certificate c key k pass-phrase encrypted @
slb template server-ssl c|  key k pass-phrase encrypted @
slb template http h|  cookie-encryption x|  cookie-encrypt 1 encrypted @
slb template persist cookie c|  encrypt-level 1|  pass-phrase encrypted @
slb template persist cookie c|  encrypt pass-phrase encrypted @
health monitor h|  method http url GET / username u password encrypted @
health monitor h|  method radius username u password @ secret @
health monitor h|  method database mysql db-name d u password encrypted @
health monitor h|  method pop3 username u password password-encrypted @
health monitor h|  method http x auth-pass @
backup store s|  host 192.0.2.1 path x username u password encrypted @
smtp 192.0.2.1 username u password encrypted @
harmony-controller profile|  user-name u password encrypted @
glm send-license x|glm appliance-name x|  token @
glm token @
file-inspection x| api-key encrypted @
cloud-services x| secret-access-key encrypted @
cgnv6 lsn x|aflex x|template x|  hmac encrypted @
system x|key-config hsm| password encrypted @
hsm template t softHSM|  password encrypted @
`},
	{"juniper_screenos.conf", "", `
set admin user "u" password "@" privilege "all"
set admin root password @
set auth-server "x" radius secret "@"
set auth-server "x" ldap cn "y"|set auth-server "y" tacacs secret @
set auth-server "x" securid auth-port 1 duress 0|set auth-server "x" infranet password "@"
set infranet controller name "x" password "@"
set infranet controller name x host-name 192.0.2.1|set infranet controller name x secret @
set ike gateway "g" address 192.0.2.1 Main outgoing-interface "ethernet0/0" preshare "@" ~
proposal "p"
set ike gateway "g" address 192.0.2.1 Main local-id "x" outgoing-interface ethernet1 ~
seed-preshare "@"
set ike gateway ikev2 "g" address 192.0.2.1 outgoing-interface "e" preshare "@" sec-level standard
set ike ikev2 x auth-method self preshare @
set ike p1-x|set user "u" ike-id x|set user "u" hash-password "@"
set user "u" password @
set l2tp "t" secret "@" keepalive 60
set l2tp t remote-setting|set l2tp "t" id 1 peer-ip 192.0.2.1 secret "@"
set ppp x|set pppoe name "p" username "u" password "@"
set pppoe username u password @
set pppoe name "p" ppp x|set interface adsl1 ppp profile|set ppp profile "p" auth secret "@"
set ppp profile p auth chap local-name "u" secret @
set snmp community "@" Read-Only Trap-on  version v2c
set snmp host "@" 192.0.2.1 255.255.255.255 trap v2
set snmpv3 user "u" auth md5 auth-pass "@" priv des priv-pass "@"
set snmpv3 community name x community "@"
set vpn "v" manual 3020 3030 gateway 192.0.2.1 esp 3des password @ auth sha-1 password @
set vpn "v" manual 3020 3030 gateway 192.0.2.1 esp aes128 key @ auth md5 key @
set vpn v manual 3020 3030 gateway 192.0.2.1 ah md5 password @
set ntp server key-id 1 preshare-key "@"
set ntp server src-interface x|set ntp server backup1 key-id 2 preshare-key @
set interface ethernet0/0 protocol ospf authentication password "@"
set interface ethernet0/0 protocol ospf authentication md5 "@" key-id 1
set interface ethernet0/0 protocol ospf authentication md5 @ key-id 1
set interface ethernet0/0 protocol rip authentication password @
set interface ethernet0/0 protocol rip authentication md5 "@" 1
set protocol bgp 1|set neighbor 192.0.2.1 md5-authentication "@"
set neighbor 192.0.2.1 md5-authentication @
set interface wireless0/0 shared-key @
set ssid name x|set ssid x authentication wpa2-psk passphrase "@" encryption auto
set ssid x authentication wpa-psk key hex @ encryption tkip
set ssid x key-id 1 length 40 method asciitext "@" default
set ssid x key-id 1 length 104 method hexdigit @
set ssid x authentication shared-key|set ssid x wep-key @
set nsrp auth password @
set nsrp encrypt password @
set nsmgmt init otp @
set dialer profile x|set modem isp "x" account login "u" password "@"
set interface bri0/0 isdn x|set modem settings x|set isdn auth secret @
set mail x|set pki x509 scep challenge "@"
set pki authority 1 scep challenge @
set pki x|set dns ddns id 1 username u password "@"
set dns ddns id 1 username u password @
set telnet client x|set config x|set gtp x|set xauth x|set url x password @
set admin device-reset|set admin ssh password x|set admin auth x secret @
set vip x|set di service x|set anti-spam x|set sw x|set tftp x|set av x|set webauth server x ~
password @
set console x|set radius accounting x secret @
set proxy-id x|set uac x|set pattern-update proxy http 192.0.2.1:80|set proxy password @
`},
	{"aruba_instant.conf", "", `
wlan auth-server a| ip 192.0.2.1| key @
wlan auth-server a| ip 192.0.2.1| cppm username u password @
wlan ldap-server l| admin-dn x| admin-password @
wlan tacacs-server t| key @
wlan ssid-profile s| wpa-passphrase @
wlan ssid-profile s| wep-key @ 1
wlan ssid-profile s| mpsk-local m| mpsk-local-passphrase n @
wlan mpsk-local m| mpsk-local-passphrase n @
snmp-server community @
snmp-server host 192.0.2.1 version 2c @ inform
snmp-server user u auth-prot sha @ priv-prot des @
snmp-server host 192.0.2.1 version 1 name @
ams-backup-ip 192.0.2.1|ams-key @
ams-identity @
organization x|ams-ip 192.0.2.1|ams-key @
vpn gre-outside|vpn ikepsk @ username u password @
vpn ikepsk @
uplink|pppoe-uplink-profile| pppoe-username u| pppoe-passwd @
pppoe-uplink-profile| pppoe-chapsecret @
cellular-uplink-profile| usb-user u| usb-passwd @| modem-x
cellular-uplink-profile| usb-auth-type chap| sim-pin @
wlan captive-portal| auth-x| redirect-url http://u:@@192.0.2.1/x
wlan external-captive-portal e| auth-text @
wlan external-captive-portal e| server x| external-cp-secret @
hash-mgmt-password|hash-mgmt-user a password hash @
mgmt-user a @ read-only
mgmt-user a password cleartext @
mgmt-accounting x|hash-mgmt-user a password hash @ usertype local
terminal-access|ap1x peap user u password @
ap1x tls pap user| dot1x-x|ap1x-peap-user u @
airgroup x|airwave x|wlan xml-api-server x| ip 192.0.2.1| key @
xml-api-server x| key @
facebook x|facebook-wifi-config x| facebook-token @
iot transportProfile p| endpointURL https://192.0.2.1| authenticationToken @
iot transportProfile p| endpointToken @
iot transportProfile p| username u| password @
iot transportProfile p| clientSecret @
iot transportProfile p| accessToken @
ble config @ 1|ble-config x| ble-token @
amp x|aruba-central x| activate-key @
ddns x|dynamic-dns x key @
dynamic-dns-ap key hmac-md5:k:@
ip dhcp d| dynamic-dns key hmac-sha1:k:@
ip dhcp d| server-type Local| dynamic-dns-key @
user a @ portal
user "a" @ radius
user a password @ portal
radsec x|openflow x|content-filter x|opendns u @
opendns user u password @
calea x|cluster-security| dtls x| key @
tacacs x|backup x ftp u password @
l2tp x| tunnel-password @
vpn l2tpv3| l2tpv3 tunnel t| tunnel-secret x| message-digest-type md5| secret-key @
l2tpv3 tunnel t| shared-secret-key @
`},
	{"aruba_os.conf", "end", `
crypto isakmp key "@" address 192.0.2.1 netmask 255.255.255.255
crypto-local isakmp key "@" fqdn x
localip 192.0.2.1 ipsec @
localip 0.0.0.0 ipsec-factory-cert-mac x|masterip 192.0.2.1 ipsec @ interface vlan 1
masterip 192.0.2.1 ipsec @
conductorip 192.0.2.1 ipsec @
vrrp 1| authentication @
aaa authentication-server radius "r"|   host 192.0.2.1|   key @
aaa authentication-server tacacs "t"|   key @
aaa authentication-server ldap "l"|   admin-passwd @
aaa rfc-3576-server "192.0.2.1"|   key @
aaa xml-api server "192.0.2.1"|   key @
aaa authentication x|wlan ssid-profile "s"|   wpa-passphrase @
wlan ssid-profile "s"|   wpa-hexkey @
wlan ssid-profile "s"|   wepkey1 @
wlan ssid-profile "s"|   wepkey2 @
snmp-server user u auth-prot sha @ priv-prot AES @
snmp-server community "@"
snmp-server host 192.0.2.1 version 2c @ udp-port 162
mgmt-server primary-server 192.0.2.1 profile x|mgmt-server type amp x|ntp authentication-key 1 ~
md5 @
ap provisioning-profile "p"|   pppoe-passwd @|   pap-passwd @|   ikepsk @
provision-ap|   ikepsk @
ap system-profile "p"|   bkup-passwords @
ap system-profile "p"|   ap-console-password @
ap mesh-cluster-profile "m"|   wpa-passphrase @
iot transportProfile p|   accessToken @
voip x|syslocation x|local-userdb add username u password @
local-userdb-guest add username u password @
ip mobile x|web-server profile x|   web-key-passphrase @
crypto-local pki x|pkcs12-passphrase @
tacacs x|database synchronize x|enable secret "@"
enable bypass|enable x|esi server e x|telnet x|papi-security|   key @
lc-cluster x|   controller x|   rap-public-ip x|   mcast x|   passphrase @
license server-ip x|license-pool x|airgroupservice x|vpdn group l2tp|  client x|  ppp chap ~
password @
activate-service-firmware x|activate|   password @
stun x|whitelist x|rap-x|uplink x|ucc x|   skype-token @
`},
	{"vyos.conf", "//", `
set interfaces openvpn vtun7 shared-secret-key '@'
set interfaces openvpn vtun7 authentication password '@'
set interfaces pppoe pppoe7 authentication password '@'
set interfaces l2tpv3 x|set interfaces wireless wlan7 security wpa passphrase '@'
set interfaces wireless wlan7 security wpa radius server 192.0.2.1 key '@'
set interfaces wireless wlan7 security wep key '@'
set interfaces ethernet eth7 eapol x|set interfaces sstpc sstpc7 authentication password '@'
set interfaces wwan wwan7 authentication password '@'
set interfaces tunnel tun7 parameters ip key 5|set protocols nhrp tunnel tun7 ~
cisco-authentication @
set nhrp tunnel tun7 authentication @
set protocols ospf area 0 virtual-link 192.0.2.1 authentication md5 key-id 1 md5-key '@'
set protocols ospf area 0 virtual-link 192.0.2.1 authentication plaintext-password '@'
set protocols ospf interface eth7 authentication md5 key-id 1 md5-key @
set protocols rip interface eth7 authentication md5 1 password '@'
set protocols rip interface eth7 authentication plaintext-password @
set protocols isis area-password plaintext-password '@'
set protocols isis domain-password md5 '@'
set protocols isis interface eth7 password md5 @
set protocols bgp neighbor 192.0.2.1 password '@'
set protocols bgp peer-group G password @
set protocols mpls ldp neighbor 192.0.2.1 password '@'
set protocols rpki cache 192.0.2.1 ssh private-key-file x|set protocols eigrp x|set protocols ~
babel x key @
set high-availability vrrp group G authentication password '@'
set service snmp community '@'
set service snmp v3 user u auth plaintext-password '@'
set service snmp v3 user u privacy encrypted-password @
set service snmp v3 trap-target 192.0.2.1 auth plaintext-password '@'
set service snmp v3 trap-target 192.0.2.1 privacy plaintext-key '@'
set service dns dynamic name x password '@'
set service dns dynamic interface eth0 rfc2136 x key /config/x|set service dns dynamic address ~
eth0 service s password '@'
set service dns dynamic name x key '@'
set service https api keys id x key '@'
set service https api jwt secret '@'
set service https api graphql authentication secret @
set service pppoe-server authentication local-users username u password '@'
set service pppoe-server authentication radius server 192.0.2.1 key '@'
set service pppoe-server authentication radius dynamic-author key '@'
set service ipoe-server authentication radius server 192.0.2.1 key @
set vpn ipsec authentication psk P secret '@'
set vpn ipsec site-to-site peer 192.0.2.1 authentication pre-shared-secret '@'
set vpn ipsec remote-access connection c authentication pre-shared-secret '@'
set vpn ipsec remote-access connection c authentication local-users username u password '@'
set vpn ipsec remote-access radius server 192.0.2.1 key '@'
set vpn ipsec site-to-site peer 192.0.2.1 authentication x509 passphrase '@'
set vpn ipsec site-to-site peer 192.0.2.1 authentication x509 key password @
set vpn l2tp remote-access ipsec-settings authentication pre-shared-secret '@'
set vpn l2tp remote-access lns shared-secret '@'
set vpn openconnect authentication local-users username u otp key '@'
set vpn openconnect authentication local-users username u password '@'
set vpn openconnect ssl passphrase '@'
set vpn sstp authentication local-users username u password '@'
set vpn pptp remote-access authentication radius server 192.0.2.1 key @
set system login user u authentication encrypted-password '$6$@'
set system login user u authentication plaintext-password '@'
set system login user u authentication otp key '@'
set system login radius server 192.0.2.1 key '@'
set system login tacacs server 192.0.2.1 key '@'
set system proxy password '@'
set system config-management commit-archive location 'scp://u:@@192.0.2.1/x'
set system config-management commit-archive location 'git+https://u:@@192.0.2.1/x'
set pki ca x private key '@'
set pki certificate x private key '@'
set pki openvpn shared-secret x key '@'
set pki key-pair x private key '@'
set pki dh x parameters y|set pki certificate x acme email a|set pki openssh x private key '@'
set container name x environment DB_PASSWORD value '@'
set container name x environment API_KEY value '@'
set container registry docker.io authentication password '@'
set service monitoring telegraf influxdb authentication token '@'
set service monitoring telegraf influxdb token '@'
set service monitoring telegraf azure-data-explorer authentication client-secret '@'
set service monitoring telegraf loki authentication password '@'
set service monitoring telegraf splunk authentication token '@'
set service monitoring zabbix-agent psk secret @
set service mdns x|set service webproxy authentication ldap password '@'
set service stunnel client x psk c secret '@'
set vrf name x|set interfaces macsec macsec7 security mka cak '@'
set interfaces macsec macsec7 security static key '@'
set interfaces macsec macsec7 security static peer P key @
set interfaces wireguard wg7 peer p preshared-key '@'
set load-balancing reverse-proxy x|set service ntp x|set system update-check x auth-token @
interfaces {|    openvpn vtun7 {|        shared-secret-key "@"|    }|}
container {|    name x {|        environment DB_PASSWORD {|            value "@"|        }|    }|}
vpn {|    ipsec {|        authentication {|            psk P {|                id a|             ~
   secret "@"|            }|        }|    }|}
service {|    https {|        api {|            keys {|                id x {|                   ~
 key "@"|                }|            }|        }|    }|}
service {|    dns {|        dynamic {|            name x {|                password "@"|         ~
   }|        }|    }|}
`},
	{"pfsense.conf", "</pfsense>", `
<installedpackages><pfblockerng><config><maxmind_key>@</maxmind_key><ipinfo_token>~
@</ipinfo_token></config></pfblockerng></installedpackages>
<installedpackages><acme><accountkeys><item><accountkey>@</accountkey></item></accountkeys>~
</acme></installedpackages>
<installedpackages><acme><certificates><item><a_domainlist><item><cf_key>@</cf_key>~
<dns_awsaws_secret_access_key>@</dns_awsaws_secret_access_key></item></a_domainlist></item>~
</certificates></acme></installedpackages>
<installedpackages><tailscale><config><preauthkey>@</preauthkey></config></tailscale>~
<tailscaleauth><config><preauthkey>@</preauthkey></config></tailscaleauth></installedpackages>
<installedpackages><nut><config><password>@</password></config></nut><telegraf><config>~
<influx_pass>@</influx_pass><influx_token>@</influx_token></config></telegraf></installedpackages>
<installedpackages><freeradiusclients><config><varclientsharedsecret>@</varclientsharedsecret>~
</config></freeradiusclients><freeradius><config><varusersmotppin>@</varusersmotppin></config>~
</freeradius></installedpackages>
<installedpackages><freeradiussqlconf><config><varsqlconfpassword>@</varsqlconfpassword></config>~
</freeradiussqlconf><freeradiusmodulesldap><config><varmodulesldappassword>~
@</varmodulesldappassword></config></freeradiusmodulesldap></installedpackages>
<installedpackages><squid><config><ldap_pass>@</ldap_pass></config></squid><squidauth><config>~
<radius_secret>@</radius_secret></config></squidauth><squidguardgeneral><config><ldapbindpass>~
@</ldapbindpass></config></squidguardgeneral></installedpackages>
<installedpackages><quaggaospfd><config><password>@</password><md5password>@</md5password>~
</config></quaggaospfd></installedpackages>
<installedpackages><frrospfdinterfaces><config><password>@</password></config>~
</frrospfdinterfaces><frrbgpneighbors><config><passwordpeer>@</passwordpeer></config>~
</frrbgpneighbors></installedpackages>
<installedpackages><lcdproc><x>1</x></lcdproc><tinc><config><cert_key>@</cert_key></config>~
</tinc></installedpackages>
<installedpackages><zabbixagentlts><config><tlspskfile>@</tlspskfile></config></zabbixagentlts>~
</installedpackages>
<installedpackages><openbgpdneighbors><config><md5sigpass>@</md5sigpass><md5sigkey>@</md5sigkey>~
</config></openbgpdneighbors></installedpackages>
<installedpackages><syslogng><config><x>1</x></config></syslogng><bind><config><bind_rndc_key>~
@</bind_rndc_key></config></bind></installedpackages>
<installedpackages><snortglobal><snort_oinkcode>@</snort_oinkcode></snortglobal>~
</installedpackages>
<installedpackages><suricata><config><iqrisk_code>@</iqrisk_code></config></suricata>~
</installedpackages>
<installedpackages><crowdsec><config><agent_password>@</agent_password><api_key>@</api_key>~
<enroll_key>@</enroll_key></config></crowdsec></installedpackages>
<installedpackages><mailreport><config><x>1</x></config></mailreport><haproxy><ha_backends><item>~
<stats_password>@</stats_password></item></ha_backends></haproxy></installedpackages>
<system><hostname>x</hostname><webgui><x>1</x></webgui><authserver><host>h</host><radius_secret>~
@</radius_secret></authserver></system>
<system><gold><password>@</password></gold><pkg_repo_x>1</pkg_repo_x><proxypass>@</proxypass>~
<acb><encryption_password>@</encryption_password><hint>y</hint></acb></system>
<dyndnses><dyndns><type>x</type><domainname>d</domainname><curl_proxyauth>u</curl_proxyauth>~
<password>@</password></dyndns></dyndnses>
<dnsupdates><dnsupdate><keydata><![CDATA[@]]></keydata></dnsupdate></dnsupdates>
<unbound><custom_options>x</custom_options></unbound><notifications><telegram><api>@</api>~
<chatid>5</chatid></telegram><slack><api>@</api></slack><pushover><apikey>@</apikey><userkey>~
@</userkey></pushover></notifications>
<l2tp><radius><secret>@</secret></radius><secret>@</secret><user><password>@</password></user>~
</l2tp>
<pppoes><pppoe><radius><server><secret>@</secret></server></radius><username>~
dTpw:NXNlRWRsMW5H</username></pppoe></pppoes>
<ipsec><phase1><pre-shared-key>@</pre-shared-key></phase1><client><radius_secret>~
@</radius_secret></client></ipsec>
<openvpn><openvpn-server><tls>@</tls><shared_key>@</shared_key></openvpn-server><openvpn-client>~
<tls>@</tls><tlsauth>@</tlsauth></openvpn-client></openvpn>
<interfaces><opt7><wireless><wpa><passphrase>@</passphrase></wpa><auth_server_shared_secret>~
@</auth_server_shared_secret></wireless></opt7></interfaces>
<cert><prv><![CDATA[@]]></prv></cert><sshdata><sshkeyfile><xmldata>@</xmldata></sshkeyfile>~
</sshdata>
<voucher><roll><x>1</x></roll><publickey>y</publickey><privatekey>@</privatekey><vouchersyncpass>~
@</vouchersyncpass><magic>7</magic></voucher>
<captiveportal><z><radmac_secret>@</radmac_secret><radiuskey3>@</radiuskey3></z></captiveportal>
`},
	{"opnsense.conf", "</opnsense>", `
<OPNsense><wireguard><server><servers><server uuid="x"><privkey>@</privkey></server></servers>~
</server><client><clients><client><psk>@</psk></client></clients></client></wireguard></OPNsense>
<OPNsense><OpenVPN><StaticKeys><StaticKey><key>@</key></StaticKey></StaticKeys><Instances>~
<Instance><password>@</password><proxy_password>@</proxy_password></Instance></Instances>~
</OpenVPN></OPNsense>
<OPNsense><AcmeClient><validations><validation><dns_cf_key>@</dns_cf_key><dns_cf_token>~
@</dns_cf_token><dns_aws_secret>@</dns_aws_secret><dns_gd_secret>@</dns_gd_secret>~
<dns_hetzner_token>@</dns_hetzner_token><dns_ovh_ck>@</dns_ovh_ck></validation></validations>~
</AcmeClient></OPNsense>
<OPNsense><AcmeClient><accounts><account><key>@</key><eab_hmac>@</eab_hmac></account></accounts>~
<actions><action><sftp_identity_key>@</sftp_identity_key><remote_pass>@</remote_pass></action>~
</actions></AcmeClient></OPNsense>
<OPNsense><DynDNS><accounts><account><password>@</password></account></accounts></DynDNS>~
<tailscale><authentication><preAuthKey>@</preAuthKey></authentication></tailscale></OPNsense>
<OPNsense><Nut><netclient><password>@</password></netclient><account><admin_password>~
@</admin_password><mon_password>@</mon_password></account></Nut></OPNsense>
<OPNsense><telegraf><output><influx_password>@</influx_password><influx_v2_token>~
@</influx_v2_token><datadog_apikey>@</datadog_apikey></output></telegraf></OPNsense>
<OPNsense><freeradius><client><clients><client><secret>@</secret></client></clients></client>~
<user><users><user><password>@</password><motpsecret>@</motpsecret><motppin>@</motppin></user>~
</users></user></freeradius></OPNsense>
<OPNsense><quagga><ospf><interfaces><interface><authkey>@</authkey></interface></interfaces>~
</ospf><bgp><neighbors><neighbor><password>@</password></neighbor></neighbors></bgp></quagga>~
</OPNsense>
<OPNsense><zabbixagent><settings><tls><pskkey>@</pskkey></tls></settings></zabbixagent>~
<Zabbixproxy><general><encryptionpsk>@</encryptionpsk></general></Zabbixproxy></OPNsense>
<OPNsense><zerotier><networks><network><networkId>y</networkId></network></networks>~
<apiAccessToken>@</apiAccessToken></zerotier></OPNsense>
<OPNsense><HAProxy><users><user><password>@</password></user></users><maintenance><x>1</x>~
</maintenance></HAProxy><Netbird><setupKey>@</setupKey></Netbird></OPNsense>
<OPNsense><IDS><rules><x>1</x></rules><userDefinedRules><y>1</y></userDefinedRules><general>~
<oinkcode>@</oinkcode></general></IDS></OPNsense>
<OPNsense><Swanctl><preSharedKeys><preSharedKey><Key>@</Key></preSharedKey></preSharedKeys>~
<locals><local><eap_secret>@</eap_secret></local></locals></Swanctl></OPNsense>
<OPNsense><bind><general><rndcsecret>@</rndcsecret></general></bind><Gateways><x>1</x></Gateways>~
<unboundplus><y>1</y></unboundplus><postfix><general><smtp_password>@</smtp_password>~
<smtpauth_password>@</smtpauth_password></general></postfix></OPNsense>
<OPNsense><monit><alert><recipient>a</recipient></alert><general><password>@</password>~
<httpdPassword>@</httpdPassword></general></monit><Stunnel><pks>1</pks><services><service><psk>~
@</psk></service></services></Stunnel></OPNsense>
<OPNsense><backup><nextcloud><password>@</password><password_encryption>@</password_encryption>~
</nextcloud><git><password>@</password><privkey>@</privkey></git><sftp><privkey>@</privkey>~
</sftp></backup></OPNsense>
<OPNsense><trust><general><x>1</x></general></trust><captiveportal><zones><zone><x>1</x></zone>~
</zones></captiveportal><Keepalived><vrrp><auth_pass>@</auth_pass></vrrp></Keepalived></OPNsense>
<system><user><apikeys><item><key>@</key><secret>$6$@</secret></item></apikeys><otp_seed>~
@</otp_seed></user></system>
<virtualip><vip><password>@</password></vip></virtualip><hasync><password>@</password></hasync>
<ppps><ppp><password>@</password></ppp></ppps><interfaces><opt7><adv_dhcp_x>1</adv_dhcp_x></opt7>~
</interfaces>
`},
	{"paloalto_panos.set.conf", "", `
set mgt-config users a password @
set mgt-config users a preferences saved-log-query x|set mgt-config users a phash "$5$@"
set mgt-config password-profile x|set deviceconfig system radius-x secret @
set deviceconfig system update-server x|set deviceconfig system secure-proxy-user u
set deviceconfig system ntp-servers secondary-ntp-server authentication-type symmetric-key ~
algorithm md5 authentication-key -AQ==@
set deviceconfig high-availability interface ha1 encryption x|set deviceconfig high-availability ~
group password @
set deviceconfig setting x|set deviceconfig system device-telemetry x|set deviceconfig setting ~
wildfire api-key @
set network ike gateway g authentication pre-shared-key key @
set network ike crypto-profiles x|set network tunnel ipsec t manual-key esp authentication md5 ~
key @
set network tunnel ipsec t manual-key esp authentication sha256 key "@ @"
set network tunnel ipsec t manual-key ah sha1 key @
set network tunnel ipsec t manual-key ah md5 key "@"
set network tunnel ipsec t manual-key esp encryption aes-128-cbc key @
set network interface ethernet ethernet1/7 layer3 pppoe password @
set network interface ethernet ethernet1/7 layer3 ddns-config ddns-vendor-config password value @
set network interface ethernet ethernet1/7 layer3 ddns-config ddns-vendor-config x-api-key value @
set network interface ethernet ethernet1/7 layer3 ddns-config ddns-vendor-config dyn_auth_token ~
value @
set network virtual-router v protocol bgp auth-profile a secret @
set network virtual-router v protocol ospf area 0 interface x authentication y|set network ~
logical-router l vrf d bgp auth-profile p secret @
set network virtual-router v protocol ospfv3 auth-profile a esp encryption key @
set network virtual-router v protocol ospfv3 auth-profile a esp authentication sha1 key @
set network virtual-router v protocol ospfv3 auth-profile a ah sha256 key @
set network virtual-router v protocol rip auth-profile a password @
set network virtual-router v protocol rip auth-profile a md5 7 key @
set network routing-profile ospf auth-profile a md5 1 key @
set network routing-profile bgp auth-profile a secret @
set network lldp x|set network shared-gateway s x|set network gre x|set network lte x pin @
set network global-protect-gateway x|set global-protect global-protect-portal p client-config ~
configs c agent-config agent-user-override-key @
set global-protect global-protect-portal p client-config configs c agent-config x passcode @
set global-protect global-protect-portal p clientless-vpn x|set global-protect ~
global-protect-portal p satellite-config x uninstall-password @
set global-protect global-protect-gateway g remote-user-tunnel-configs x|set global-protect ~
global-protect-gateway g security-restrictions x group-password @
set shared server-profile kerberos k x keytab @
set shared server-profile ldap l bind-password -AQ==@
set shared server-profile mfa-server-profile m mfa-cert-profile c|set shared server-profile ~
mfa-server-profile m mfa-config duo-secret-key value @
set shared server-profile mfa-server-profile m mfa-config okta-token value @
set shared server-profile mfa-server-profile m mfa-config rsa-accesskey value @
set shared server-profile mfa-server-profile m mfa-config ping-idp-org-alias value x|set shared ~
server-profile saml-idp s x|set shared server-profile scp s password @
set shared local-user-database user u phash @
set shared authentication-profile a single-sign-on kerberos-keytab @
set shared certificate c private-key "-AQ==@"
set shared ssl-decrypt x|set shared log-settings email x|set shared log-settings email e server ~
s password @
set shared log-settings http h server s password @
set shared log-settings http h format traffic headers Authorization value "Splunk @"
set shared log-settings http h format traffic params token value @
set shared log-settings http h format traffic params api_key value @
set shared log-settings http h format traffic payload "{\"token\":\"@\"}"
set shared log-settings http h format traffic url-format /services/collector?token=@
set shared log-settings http h format traffic url-format /services/T0/B0/x?apikey=@
set shared external-list e type ip auth password @
set shared external-list e type ip url https://u:@@192.0.2.1/x
set shared user-id-agent x|set vsys vsys1 user-id-agent a host-port secret @
set vsys vsys1 user-id-agent a secret @
set vsys vsys1 ts-agent a x|set vsys vsys1 vm-info-source v AWS-VPC secret-access-key @
set vsys vsys1 vm-info-source v VMware-ESXi password @
set vsys vsys1 vm-info-source v Google-Compute-Engine service-auth-type service-account ~
service-account-cred @
set vsys vsys1 user-id-collector syslog-parse-profile x|set vsys vsys1 user-id-collector setting ~
wmi-password @
set vsys vsys1 redistribution-agent r host-port secret @
set vsys vsys1 redistribution-collector setting pre-shared-key @
set vsys vsys1 captive-portal x|set vsys vsys1 setting ssl-decrypt x|set vsys vsys1 dns-proxy d ~
x|set plugins cloud_services x psk @
set plugins vm_series aws-cloudwatch x|set plugins vm_series x authcode @
set template t config deviceconfig system snmp-setting access-setting version v3 users u authpwd @
set template t config shared server-profile tacplus p server s secret @
set template t config network ike gateway g authentication pre-shared-key key @
set device-group d external-list e type url auth password @
set device-group d server-profile x|set panorama server-profile radius r server s secret @
set panorama log-settings snmptrap t version v2c server s community @
set panorama log-settings snmptrap t version v3 server s privpwd @
set panorama plugins x api-key @
set readonly devices x|set bonjour x|set deviceconfig system permitted-ip x|set deviceconfig ~
system auth-key @
`},
	{"mikrotik_routeros.conf", "", `
/container envs add name=app key=API_TOKEN value="@"
/container|add remote-image=x envlist=y cmd="--token @"
/snmp community set [ find default=yes ] name=@ authentication-password=@ encryption-password=@
/snmp community|set 0 name=@
/snmp set trap-community=@ enabled=yes
/tool e-mail set address=192.0.2.1 password=@ user=u
/tool sms set secret=@
/ppp secret add name=u password=@ service=l2tp
/ppp aaa|/radius add address=192.0.2.1 secret=@ service=login
/radius incoming|/user add name=u password=@ group=full
/user-manager router add address=192.0.2.1 name=r shared-secret=@
/user-manager user add name=u password=@ otp-secret=@
/ip hotspot user add name=u password=@
/ip hotspot profile set p radius-mac-auth x=y mac-auth-password=@
/ip ipsec identity add peer=p secret=@ password=@
/ip ipsec key|/ip smb users|add name=u password=@
/ip cloud|/ip proxy access|/interface pppoe-client add name=p password=@ user=u
/interface l2tp-client add name=l ipsec-secret=@ password=@
/interface ovpn-client add name=o password=@
/interface wireguard add name=w private-key="@"
/interface wireguard peers add preshared-key="@" public-key="x="
/interface wifi security add name=s passphrase=@
/interface wifi set w security.passphrase=@
/interface wifi configuration add name=c security.passphrase="@ @"
/interface wifi security multi-passphrase add group=g passphrase=@
/interface wifi access-list add passphrase=@
/caps-man security add name=s passphrase=@
/caps-man access-list add private-passphrase=@
/interface wireless access-list add private-pre-shared-key=@ private-key=@
/interface wireless security-profiles set [ find default=yes ] wpa2-pre-shared-key=@ ~
mode=dynamic-keys
/interface lte apn add name=a password=@ user=u
/interface lte set l pin=@
/interface vrrp add name=v password=@ authentication=ah
/interface macsec add cak=@ ckn=00 name=m
/interface eoip add name=e ipsec-secret=@
/interface dot1x client add password=@
/routing ospf interface-template add auth-key=@ auth=md5
/routing rip interface-template add password=@
/routing bgp connection add name=b tcp-md5-key=@
/routing bgp peer add tcp-md5-key=@ remote-address=192.0.2.1
/mpls ldp neighbor|/system backup cloud|/system logging action|/tool traffic-x|/dude set password=@
/zerotier add name=zt1 identity="aa:0:bb:@"
/iot mqtt brokers add name=b password=@ username=u
/iot lora x|/certificate scep-server|/certificate add name=c challenge-password=@
/system script add name=s source="/tool fetch url=\"ftp://192.0.2.1/x\" user=u password=\"@\""
/system script add name=s source=":global apiKey \"@\"; :put \$apiKey"
/system script add name=s source=":local chatToken \"@\""
/system script add name=s source="/tool e-mail send to=a password=@"
/system scheduler add name=s on-event="/tool fetch url=\"https://192.0.2.1/u?token=@\""
/system scheduler add name=s on-event=":local pass \"@\"; /x"
/system scheduler add name=s on-event="/tool fetch http-header-field=\"Authorization: Bearer ~
@@@\" url=x"
/ip dhcp-client|/tool netwatch add down-script="/tool fetch url=\"https://api.telegram.org/bot1:@~
/x\"" host=192.0.2.1
/ip dhcp-server add name=d lease-script=":local key \"@\""
/ppp profile add name=p on-up=":local secret \"@\""
/tool netwatch add host=192.0.2.1 up-script="/tool fetch url=https://hc-ping.com/@"
`},
	{"nokia_sros-md.conf", "}", `
        router "Base" {|            isis 0 {|                authentication-key "@ hash2"|       ~
     }|        }
        router "Base" {|            isis 0 {|                interface "a" {|                    ~
hello-authentication-key "@ hash2"|                }|            }|        }
        router "Base" {|            bgp {|                group "g" {|                    ~
authentication-key "@ hash2"|                }|            }|        }
        router "Base" {|            ldp {|                tcp-session-parameters {|              ~
      peer-transport 192.0.2.1 {|                        authentication-key "@ hash2"|           ~
         }|                }|            }|        }
        router "Base" {|            rsvp {|                interface "a" {|                    ~
authentication-key "@ hash2"|                }|            }|        }
        router "Base" {|            interface "a" {|                ipv4 {|                    ~
vrrp 1 {|                        authentication-key "@ hash2"|                    }|             ~
   }|            }|        }
        system {|            security {|                aaa {|                    remote-servers ~
{|                        radius {|                            server 1 {|                       ~
         secret "@ hash2"|                            }|                        }|               ~
     }|                }|            }|        }
        system {|            security {|                aaa {|                    remote-servers ~
{|                        tacplus {|                            server 1 {|                      ~
          secret "@ hash2"|                            }|                        }|              ~
      }|                }|            }|        }
        system {|            security {|                snmp {|                    community "@ ~
hash2" {|                        access-permissions r|                    }|                }|   ~
         }|        }
        system {|            security {|                snmp {|                    usm-community ~
"@ hash2" {|                        group "x"|                    }|                }|           ~
 }|        }
        system {|            security {|                keychains {|                    keychain ~
"k" {|                        bidirectional {|                            entry 1 {|             ~
                   authentication-key "@ hash2"|                            }|                   ~
     }|                    }|                }|            }|        }
        system {|            time {|                ntp {|                    authentication-key ~
1 {|                        key "@ hash2"|                    }|                }|            }| ~
       }
        system {|            security {|                user-params {|                    ~
local-user {|                        user "a" {|                            password "$2y$10$@"| ~
                       }|                    }|                }|            }|        }
        system {|            security {|                hash-control x|                ldap {|   ~
                 server 1 {|                        bind-authentication {|                       ~
     password "@ hash2"|                        }|                    }|                }|       ~
     }|        }
        ipsec {|            ike-transform 1 {|            }|            static-sa "s" {|         ~
       authentication {|                    key "@ hash2"|                }|            }|        }
        service {|            vprn "1" {|                interface "a" {|                    sap ~
1/1/1 {|                        ipsec-tunnel "t" {|                            key-exchange {|   ~
                             dynamic {|                                    pre-shared-key "@ ~
hash2"|                                }|                            }|                        }|~
                    }|                }|            }|        }
        macsec {|            connectivity-association "c" {|                static-cak {|        ~
            pre-shared-key 1 {|                        cak "@ hash2"|                    }|      ~
          }|            }|        }
        log {|            snmp-trap-group "g" {|                trap-target "t" {|               ~
     notify-community "@"|                }|            }|        }
        aaa {|            radius {|                server-policy "p" {|                    ~
x-secret "@"|                }|            }|        }
        bof {|            primary-config "ftp://u:@@192.0.2.1/x"|        }
        system {|            management-interface {|                remote-management {|         ~
           client-token "@"|                }|            }|        }
`},
	{"fortinet.conf", "", `
config system automation-action|edit "x"|set alicloud-access-key-secret "@"|set ~
azure-function-authorization key|next|end
config system automation-action|edit "x"|set script "config user local|edit a|set passwd @|next|~
end"|next|end
config system automation-action|edit "x"|set script "execute backup full-config ftp f ~
192.0.2.1:21 u @"|next|end
config system automation-action|edit "x"|set script "execute backup config scp f 192.0.2.1 u @"|~
next|end
config system automation-action|edit "x"|set script "execute restore config sftp f 192.0.2.1 u @ ~
@"|next|end
config system automation-action|edit "x"|set script "exec backup logs alllogs ftp 192.0.2.1 u @"|~
next|end
config system automation-action|edit "x"|set uri "192.0.2.1/api?access_token=@"|next|end
config system automation-action|edit "x"|set uri "192.0.2.1/hooks/@"|next|end
config system automation-action|edit "x"|set uri "outlook.office.com/webhook/@"|next|end
config system automation-action|edit "x"|set uri "prod.logic.azure.com/workflows/x?sig=@"|next|end
config system automation-action|edit "x"|set http-body "{\"api_key\":\"@\",\"msg\":\"%%log%%\"}"|~
next|end
config system automation-action|edit "x"|set http-body "user=u&password=@&x=1"|next|end
config system automation-action|edit "x"|config http-headers|edit 1|set key "X-Auth-Token"|set ~
value "@"|next|end|next|end
config system automation-action|edit "x"|set tls-certificate y|set gcp-function x|set ~
aws-api-key ENC @@@|next|end
config system auto-script|edit "x"|set script "config system admin|edit a|set password @|next|~
end"|next|end
config system sdn-connector|edit x|set client-secret @|set secret-key @|set api-key @|set ~
password @|set vcenter-password @|next|end
config vpn ssl web portal|edit p|config bookmark-group|edit g|config bookmarks|edit b|set ~
logon-password @|set sso-password @|next|end|next|end|next|end
config vpn ssl web user-bookmark|edit u|config bookmarks|edit b|config form-data|edit "pwd"|set ~
value "@"|next|end|next|end|next|end
config vpn ssl web user-group-bookmark|edit u|config bookmarks|edit b|config form-data|edit ~
"api_token"|set value @|next|end|next|end|next|end
config web-proxy forward-server|edit x|set password @|set username u|next|end
config web-proxy profile|edit x|config headers|edit 1|set name "X-Api-Key"|set content "@"|next|~
end|next|end
config log fortianalyzer-cloud setting|set x-access-token @|end
config log tacacs+accounting setting|set server-key @|end
config system external-resource|edit x|set username u|set password @|set resource ~
"https://u:@@192.0.2.1/x"|next|end
config system external-resource|edit x|set resource "https://192.0.2.1/list?apikey=@"|next|end
config system vdom-exception|edit 1|next|end|config system saml|set x-shared-secret @|end
config system federated-upgrade|set status done|end|config system csf|set group-password @|set ~
fixed-key @|end
config system dns-database|edit x|set rr-max 1|config x|edit 1|set tsig-key @|next|end|next|end
config system ddns|edit 1|set ddns-auth tsig|set ddns-key @|set ddns-sn x|next|end
config system ipam|set x-token @|end|config system fabric-vpn|edit x|set psksecret @|next|end
config system dhcp server|edit 1|set ddns-key @|set ddns-keyname x|set tftp-server 192.0.2.1|~
next|end
config system npu|end|config system fips-cc|set key-x 1|set entropy-token enable|end|config user ~
fortitoken|edit x|set seed @|set activation-code @|next|end
config user peer|edit x|set ldap-password @|set passwd @|next|end
config user krb-keytab|edit x|set keytab @|next|end
config user fsso|edit x|set ldap-x y|set password2 @|set password3 @|set password4 ENC @@@|next|end
config user fsso-polling|edit 1|set password @|next|end
config user exchange|edit x|set password @|next|end
config user pop3|edit x|set server y|next|end|config user domain-controller|edit x|set password ~
@|next|end
config user setting|set radius-ses-timeout-act hard|end|config user nac-policy|edit x|set ~
sso-x-secret @|next|end
config wireless-controller hotspot20 x|edit y|set osu-nai z|next|end|config wireless-controller ~
setting|set sae-x-password @|end
config wireless-controller vap|edit x|set captive-portal-macauth-radius-secret @|set ~
captive-portal-radius-secret @|set radius-mac-auth-x y|next|end
config wireless-controller mpsk-profile|edit p|config mpsk-group|edit g|config mpsk-key|edit k|~
set passphrase ENC @@@|next|end|next|end|next|end
config switch-controller 802-1X-settings|set x 1|end|config switch-controller mac-x|edit y|set ~
auth-password @|next|end
config switch-controller system|set x|end|config switch-controller remote-log|edit x|set y|next|~
end|config switch-controller snmp-user|edit u|set auth-pwd @|set priv-pwd @|next|end
config switch-controller switch-profile|edit x|set login-passwd ENC @@@|next|end
config extension-controller dataplan|edit x|set password @|set pdn y|next|end
config router bgp|config neighbor-group|edit x|set password @|next|end|end
config router rip|config interface|edit x|set auth-string @|next|end|end
config router ospf|config area|edit 0.0.0.0|config virtual-link|edit v|set authentication-key @|~
set md5-key @|next|end|next|end|end
config router isis|config isis-interface|edit x|set auth-password-l1 @|set auth-password-l2 @|~
next|end|end
config router ospf6|config area|edit 0|set ipsec-x y|config ipsec-keys|edit 1|set auth-key @|set ~
enc-key @|next|end|next|end|end
config vpn certificate ca|edit x|set scep-url "http://u:@@192.0.2.1/x"|next|end
config vpn ipsec manualkey-interface|edit x|set auth-key @|set enc-key @|next|end
config vpn ipsec phase1|edit x|set psksecret @|set ppk-secret @|next|end
config vpn l2tp|set psk @|end
config vpn kmip-server|edit x|set password @|next|end
config vpn qkd|edit x|set x-secret @|next|end
config certificate local|edit x|set password @|set acme-eab-key-hmac @|next|end
config vpn certificate local|edit x|set acme-eab-key-hmac @|set est-http-password @|set ~
est-srp-password @|next|end
`},
	{"juniper_junos.set.conf", "", `
set system radius-server 192.0.2.1 secret "@"
set system radius-server 192.0.2.1 preauthentication-secret "@"
set system tacplus-server 192.0.2.1 secret @
set system accounting destination tacplus server 192.0.2.1 secret @
set system archival configuration archive-sites "scp://u:@@192.0.2.1/x" password "@"
set system ntp authentication-key 1 type md5 value "@"
set system ntp authentication-key 1 value @
set system scripts commit file x.slax source "https://u:@@192.0.2.1/x"
set system login user u authentication encrypted-password "$6$@"
set system login user u authentication plain-text-password-value "@"
set system diag-port-authentication encrypted-password "@"
set system pic-console-authentication encrypted-password "@"
set system services web-management x|set system services extension-service x|set system license ~
keys key "@ @ @"
set system phone-home x|set system proxy password "@"
set system master-password x|set snmp community @ authorization read-only
set snmp v3 usm local-engine user u authentication-sha authentication-key "@"
set snmp v3 usm local-engine user u authentication-md5 authentication-password "@"
set snmp v3 usm local-engine user u privacy-aes128 privacy-key "@"
set snmp v3 usm local-engine user u privacy-aes128 privacy-password "@"
set snmp v3 snmp-community i community-name "@"
set snmp trap-group @|set protocols bgp group g authentication-key "@"
set protocols bgp group g neighbor 192.0.2.1 authentication-key @
set protocols ospf area 0 interface x authentication md5 1 key "@"
set protocols ospf area 0 interface x authentication simple-password "@"
set protocols ospf area 0 virtual-link neighbor-id 192.0.2.1 transit-area 1 authentication md5 1 ~
key "@"
set protocols ospf area 0 sham-link-remote 192.0.2.1 authentication simple-password @
set protocols isis level 1 authentication-key "@"
set protocols isis interface x level 1 hello-authentication-key "@"
set protocols rip authentication-key "@"
set protocols ldp session 192.0.2.1 authentication-key "@"
set protocols rsvp interface x authentication-key "@"
set protocols msdp peer 192.0.2.1 authentication-key "@"
set protocols l2tp x|set services l2tp tunnel-group g shared-secret "@"
set protocols vrrp x|set interfaces x unit 0 family inet address 192.0.2.1/24 vrrp-group 1 ~
authentication-key "@"
set interfaces x unit 0 ppp-options chap default-chap-secret "@"
set interfaces x unit 0 ppp-options chap access-profile y|set interfaces x unit 0 ppp-options ~
pap local-password "@"
set interfaces x unit 0 ppp-options pap default-password @
set access profile p client c chap-secret "@"
set access profile p client c pap-password "@"
set access profile p client c firewall-user password "@"
set access profile p client c l2tp shared-secret "@"
set access profile p radius-server 192.0.2.1 secret "@"
set access radius-server 192.0.2.1 dynamic-request-port 1|set access radius-server 192.0.2.1 ~
secret "@"
set access ldap-server 192.0.2.1 x|set access profile p ldap-options search admin-search ~
password "@"
set access securid-server x|set access firewall-authentication x|set access profile p client c ~
client-group g|set security ike policy p pre-shared-key ascii-text "@"
set security ike policy p pre-shared-key hexadecimal "@"
set security ike policy p seeded-pre-shared-key ascii-text "@"
set security ike gateway g dynamic x|set security ike gateway g aaa client password "@"
set security ike gateway g xauth client username u password "@"
set security ipsec vpn v manual authentication algorithm hmac-md5-96 key ascii-text "@"
set security ipsec vpn v manual encryption algorithm 3des-cbc key hexadecimal "@"
set security ipsec security-association s manual direction inbound authentication key ascii-text ~
"@"
set security authentication-key-chains key-chain k key 1 secret "@"
set security macsec connectivity-association c pre-shared-key cak "@"
set security macsec connectivity-association c fallback-key cak @
set security pki ca-profile c enrollment url http://u:@@192.0.2.1/x
set security pki auto-re-enrollment certificate-id x challenge-password "@"
set security user-identification identity-management connection primary client-secret "@"
set services user-identification identity-management connection primary client-secret "@"
set services security-intelligence authentication auth-token @
set services security-intelligence url https://192.0.2.1/x?token=@
set services ssl x|set services advanced-anti-malware x|set services unified-access-control ~
infranet-controller i password "@"
set services rpm x|set services sdk x|set services mobile-ip home-agent x key ascii-text @
set services ipsec-vpn ike policy p pre-shared-key ascii-text "@"
set services captive-portal x|set wlan access-point a radio 1 virtual-access-point 0 security ~
wpa-personal key "@"
set wlan access-point a radio 1 virtual-access-point 0 security static-wep key1 "@"
set event-options destinations d archive-sites "ftp://u:@@192.0.2.1/x"
set event-options destinations d archive-sites "scp://192.0.2.1/x" password "@"
set poe x|set ethernet-switching-options x|set protocols dot1x authenticator static x|set ~
protocols dot1x authenticator x password @
set groups g system tacplus-server 192.0.2.1 secret "@"
set firewall x|set forwarding-options dhcp-relay authentication password "@"
set forwarding-options dhcp-relay group g authentication password @
set system services dhcp-local-server authentication password "@"
set system services subscriber-management x|set system services outbound-ssh client c secret "@"
set system services netconf x|set system services ssh x|set routing-instances r protocols bgp ~
group g authentication-key "@"
set system syslog host 192.0.2.1 x|set services analytics x|set dynamic-profiles d interfaces x ~
ppp-options chap x|set protocols lacp x|set jsrc x|set unified-edge x|set protocols bfd x ~
authentication key "@"
`},
}

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
key chain CHAIN1A| key 7|  cryptographic-algorithm hmac-sha-256
logging discriminator AUTH1A severity drops 4
`},
	{"cisco_nxos.conf", `
logging level authpri 4
logging level aaa 5
feature password encryption aes
router bgp 1|  neighbor 192.0.2.1|    address-family ipv4 unicast|      send-community extended
ip community-list standard C1A0B0 seq 10 permit 65000:1
ssh key rsa 4096
userpassphrase min-length 8
`},
	{"cisco_xr.conf", `
community-set CUST1A|  65000:100,|  65000:200|end-set
ssh server algorithms key-exchange ecdh-sha2-nistp256
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
`},
	{"hp_comware.conf", `
interface GigabitEthernet1/0/7| port trunk permit vlan 10 20
ssh2 algorithm cipher aes256-ctr
`},
	{"fortinet.conf", `
config vpn ipsec phase1-interface|edit x1|set authmethod psk|set proposal aes256-sha256|next|end
config router community-list|edit "CUST1A"|config rule|edit 1|set match "65000:100"|next|end|~
next|end
config router route-map|edit r1|config rule|edit 1|set set-community "65000:100"|next|end|next|end
config system global|set ssh-hmac-algo hmac-sha2-256|set ssh-mac-algo hmac-sha2-512|end
config vpn ipsec phase1-interface|edit x1|set keylife 86400|set dpd on-idle|next|end
`},
	{"paloalto_panos.conf", `
<webui><device><master-key>disable</master-key><authentication-profile>~
enable</authentication-profile></device></webui>
<role><device><webui><device><password-profiles>read-only</password-profiles></device></webui>~
</device></role>
<community><exact>65000:100</exact></community>
`},
	{"vyos.conf", `
set policy community-list CUST1A rule 10 regex 65000:100
set policy route-map R1 rule 10 set community add 65000:100
set vpn ipsec authentication psk peer_1a id 192.0.2.1
set vpn ipsec ike-group I1 proposal 1 encryption aes256
set interfaces wireguard wg7 peer p1 public-key 'x1b2c3d4e5f6g7h8='
`},
	{"f5_tmsh.conf", `
sys file ssl-key /Common/site2026a.key {|    cache-path /config/x1|}
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

package device_test

import (
	"fmt"
	"strings"

	"github.com/tftpsql/tftpsql/device"
)

// What a FortiGate sends: its host name stands in one block, and other blocks have a line that
// looks like it.
const backup = `#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0:vdom=0:user=ada
#conf_file_ver=42
#buildno=2731
#global_vdom=1
config webfilter search-engine
    edit "google"
        set hostname ".*\\.google\\..*"
    next
end
config system global
    set hostname "fw1"
end
config user local
    edit "guest"
        set passwd ENC b25lIGRpc3BsYXk=
    next
end
`

func ExampleIdentify() {
	id := device.Identify([]byte(backup))
	fmt.Println(id.Name, id.Platform, id.Model, id.OSVersion, id.Kind, id.ExportedBy)
	fmt.Println("whole:", id.Complete)
	fmt.Println("whole:", device.Identify([]byte(backup[:len(backup)-10])).Complete)
	// Output:
	// fw1 fortinet FGT60F 7.4.7 full ada
	// whole: true
	// whole: false
}

// The same configuration, displayed twice: the device has counted up and encrypted the password
// anew. Nobody has changed anything, until the next line does.
func ExampleFingerprint() {
	again := strings.NewReplacer("ver=42", "ver=43", "b25lIGRpc3BsYXk=", "YW5vdGhlciBvbmU=",
		"user=ada", "user=ben").Replace(backup)
	fmt.Println(device.Fingerprint([]byte(backup)) == device.Fingerprint([]byte(again)))

	changed := strings.Replace(again, `edit "guest"`, `edit "guests"`, 1)
	fmt.Println(device.Fingerprint([]byte(backup)) == device.Fingerprint([]byte(changed)))
	// Output:
	// true
	// false
}

// Each line knows the blocks that it stands in, and can be shown without its secret.
func ExampleLines() {
	for l := range device.Lines([]byte(backup)) {
		if len(l.Path()) == 2 {
			fmt.Printf("%d: %s > %s\n", l.Number, strings.Join(l.Path(), " > "),
				strings.TrimSpace(string(l.Redacted())))
		}
	}
	// Output:
	// 7: config webfilter search-engine > edit "google" > set hostname ".*\\.google\\..*"
	// 15: config user local > edit "guest" > set passwd ENC <secret>
}

// The file name identifies a device whose configuration doesn't.
func ExampleFromFilename() {
	for _, name := range []string{"acme/sw1-confg", "sw1-Nov-23-05-15-00.123-UTC-7",
		`acme\branch\sw1_2026-11-23.cfg`, "backup.conf"} {
		site, stem := device.FromFilename(name)
		fmt.Printf("%q %q\n", site, stem)
	}
	// Output:
	// "acme" "sw1"
	// "" "sw1"
	// "acme/branch" "sw1"
	// "" ""
}

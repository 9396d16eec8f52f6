package device

import "bytes"

// SONiC keeps its configuration in one JSON object, config_db.json, with one table per key.
// DEVICE_METADATA names the device.
//
// Sources: SONiC's documentation of its configuration, and files of several releases.

var sonic = platform{
	name: "sonic",
	signs: []sign{
		{`    "DEVICE_METADATA": {`, 10, nil}, {`  "DEVICE_METADATA": {`, 10, nil},
		{`{"DEVICE_METADATA":`, 10, nil}, {`    "BGP_NEIGHBOR": {`, 4, nil},
		{`    "PORT": {`, 3, nil}, {`    "LOOPBACK_INTERFACE": {`, 4, nil},
		{`    "MGMT_INTERFACE": {`, 4, nil}, {`    "FEATURE": {`, 3, nil},
		{`    "FLEX_COUNTER_TABLE": {`, 4, nil}, {`    "AUTO_TECHSUPPORT": {`, 4, nil},
	},
	read:  readSONiC,
	whole: func(w *walk) bool { return w.depth == 0 && w.json.closed && !w.json.torn },
}

func readSONiC(w *walk) {
	community := w.redact && w.in("SNMP_COMMUNITY") && w.words[0] == '"'
	at := w.in("DEVICE_METADATA", "localhost")
	w.readJSON()
	key, v, ok := bytes.Cut(bytes.TrimRight(w.words, ","), []byte(`":`))
	if !ok {
		return
	}
	switch v = bytes.TrimLeft(v, " "); {
	case community:
		w.mark(key[1:], secret)
	case w.redact && string(key) == `"value` && w.within("NTP_KEY"):
		w.mark(v, secret)
	case !at:
	case string(key) == `"hostname`:
		set(&w.id.Name, []byte(unquote(v)))
	case string(key) == `"hwsku`:
		set(&w.id.Model, []byte(unquote(v)))
	}
}

package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/store"
)

// failureJSON is a failure as failures --json prints it.
type failureJSON struct {
	Source   string    `json:"source"`
	Reason   string    `json:"reason"`
	Filename string    `json:"filename"`
	FirstAt  time.Time `json:"first_at"`
	LastAt   time.Time `json:"last_at"`
	Times    int64     `json:"times"`
	Bytes    int64     `json:"bytes"`
	Code     int       `json:"code"`
	Detail   string    `json:"detail"`
}

// cures are what to do about failures, by their reason. A cause that the log had a hint for has it in its detail too.
var cures = map[string]string{
	"not allowed":                            "if it is a device of yours, add it to TFTP_ALLOW",
	"read: not allowed":                      "hand the file over with tftpsql publish",
	"read: file not found":                   "look at the name, or hand the file over with tftpsql publish",
	"too large":                              "raise TFTP_MAX_SIZE if it is a configuration",
	"storage full":                           "make room on the database's disk, or raise TFTP_MEMORY",
	"storage unavailable, try again":         "look at the database; the device has to send again",
	"file already exists":                    "send under another name, or turn TFTP_WRITE_ONCE off",
	"timed out":                              "look at the network between: packets get lost, or a firewall drops answers",
	"given up by the device":                 "look at the device's own message; its time-out may be short",
	"begun anew by the device":               "look whether its next upload ended well; its time-out may be short",
	"crowded out by other requests":          "look at what sends so many that nobody follows up, and block its address",
	"done, but the device had gone":          "nothing: an upload is stored, and the device may send it again",
	"server busy, try again":                 "spread the devices' schedules",
	"too many requests, try again":           "look at what sends them: a loop in a script, or an attack; block its address",
	"malformed request":                      "something else than a TFTP client speaks to this port",
	"unknown mode: use octet or netascii":    "set the device to binary (octet) mode",
	"a block came twice with different data": "raise TFTP_ACK_TIMEOUT: the client can't bear to hear an answer twice",
	"server is shutting down, try again":     "nothing: it was restarted; the device has to send again",
}

func (a *app) failuresCommand() *cobra.Command {
	var asJSON bool
	since := flagWhen{}
	cmd := &cobra.Command{
		Use:   "failures [DEVICE]",
		Short: "List what failed or was refused, why, and what to do",
		Long: `List what failed or was refused, why, and what to do: uploads that broke off, and requests that were refused, folded by source,
hour and reason. With DEVICE: from the addresses that it has sent from. They are kept for 30 days. Where very many fail in one hour, those
beyond count together as "others".`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			var d *store.Device
			if len(args) == 1 {
				one, err := s.Device(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				d = &one
			}
			from := time.Now().Add(-day)
			if since.text != "" {
				from = since.Time
			}
			list, err := s.Failures(cmd.Context(), d, from)
			if err != nil {
				return err
			}
			if asJSON {
				out := make([]failureJSON, len(list))
				for i, f := range list {
					out[i] = failureJSON{f.Source, f.Reason, f.Filename, f.First, f.Last, f.Times, f.Bytes, f.Code, f.Detail}
				}
				return a.printJSON(out)
			}
			t := a.table("LAST", "SOURCE", "TIMES", "BYTES", "FILE", "WHY", "WHAT TO DO")
			for _, f := range list {
				todo := cures[f.Reason]
				if todo == "" {
					todo = short(f.Detail)
				}
				file := f.Filename
				if name, _, ok := strings.Cut(f.Detail, ": "); ok && file == "" && !strings.HasPrefix(f.Detail, strings.TrimPrefix(f.Reason, "read: ")) {
					file = name // the last one
				}
				t.row(local(f.Last), f.Source, f.Times, f.Bytes, short(file), f.Reason, todo)
			}
			return t.print()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	cmd.Flags().Var(&since, "since", "how far back, 24h if not given: 7d, or a time")
	return cmd
}

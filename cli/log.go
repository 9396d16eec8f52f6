package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// captureJSON is a capture as log --json prints it, with the names of the columns of the view changes.
type captureJSON struct {
	ID         int64     `json:"id"`
	UID        string    `json:"uid"`
	ReceivedAt time.Time `json:"received_at"`
	Site       string    `json:"site"`
	Device     string    `json:"device"`
	Platform   string    `json:"platform"`
	Kind       string    `json:"kind"`
	Source     string    `json:"source"`
	Filename   string    `json:"filename"`
	Mode       string    `json:"mode"`
	Size       int64     `json:"size"`
	SHA256     string    `json:"sha256"`
	Changed    bool      `json:"changed"`
	Complete   bool      `json:"complete"`
	ChangedBy  string    `json:"changed_by"`
	ExportedBy string    `json:"exported_by"`
	NewSource  bool      `json:"new_source"`
}

func captureOf(r store.Record) captureJSON {
	return captureJSON{r.ID, r.UID, r.ReceivedAt, r.Site, r.Device, r.Platform, r.Kind, r.Source, r.Filename, r.Mode,
		r.Size, r.SHA256, r.Changed, r.Complete, r.ChangedBy, r.ExportedBy, r.NewSource}
}

func (a *app) logCommand() *cobra.Command {
	var asJSON, all bool
	var n uint32
	var where string
	cmd := &cobra.Command{
		Use:   "log [DEVICE]",
		Short: "List captures, newest first; of a device its versions",
		Long: `List captures, newest first. Of a DEVICE: its versions, each with how often the same was seen since; --all lists every capture.
With --path only versions that changed something there: 'config firewall policy > edit 12' or 'interface Gi1/0/1', the blocks that
lines stand in, joined by " > " and abbreviated as on the device.`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if where != "" && (len(args) == 0 || asJSON || all) {
				return usageError{fmt.Errorf("--path goes with a DEVICE, and neither with --json nor with --all")}
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if len(args) == 0 {
				records, err := s.Log(cmd.Context(), nil, int(n))
				if err != nil {
					return err
				}
				return a.printCaptures(records, asJSON)
			}
			d, err := s.Device(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON || all {
				records, err := s.Log(cmd.Context(), &d, int(n))
				if err != nil {
					return err
				}
				return a.printCaptures(records, asJSON)
			}
			return a.printVersions(cmd.Context(), s, d, int(n), pathOf(where))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects, one a capture")
	cmd.Flags().BoolVar(&all, "all", false, "every capture of the device, not its versions alone")
	cmd.Flags().StringVar(&where, "path", "", "only versions that changed in these blocks")
	cmd.Flags().Uint32VarP(&n, "number", "n", 50, "how many at most; 0 for all")
	return cmd
}

func (a *app) printCaptures(records []store.Record, asJSON bool) error {
	if asJSON {
		list := make([]captureJSON, len(records))
		for i, r := range records {
			list[i] = captureOf(r)
		}
		return a.printJSON(list)
	}
	t := a.table("REF", "RECEIVED", "DEVICE", "KIND", "SIZE", "CHANGED", "COMPLETE", "SOURCE", "FILE", "SHA256")
	for _, r := range records {
		t.row(fmt.Sprintf("@%d", r.ID), local(r.ReceivedAt), store.Device{Site: r.Site, Name: r.Device}.Ref(), r.Kind, r.Size,
			yes(r.Changed), yes(r.Complete), r.Source+newSource(r), short(r.Filename), r.SHA256[:12])
	}
	return t.print()
}

// newSource marks a capture from an address that its device had never sent from.
func newSource(r store.Record) string {
	if r.NewSource {
		return " (new)"
	}
	return ""
}

// printVersions prints the versions of a device, those that changed in path if there is one, and what is noteworthy.
func (a *app) printVersions(ctx context.Context, s *store.Store, d store.Device, n int, path []string) error {
	t := a.table("REF", "CHANGED", "KIND", "SIZE", "SEEN", "BY", "COMPLETE", "SOURCE", "FILE", "SHA256")
	printed := 0
	var trouble error
	sections := map[int64][sha256.Size]byte{} // by capture: what stands in path
	err := s.Versions(ctx, d, func(v store.Version) bool {
		if len(path) > 0 {
			if !v.Complete { // where a torn file ends nothing was changed
				return true
			}
			var changed bool
			if changed, trouble = changedIn(ctx, s, v, path, sections); trouble != nil {
				return false
			}
			if !changed {
				return true
			}
		}
		by := v.ChangedBy
		if by == "" {
			by = v.ExportedBy
		}
		seen := "once"
		if v.Seen > 1 {
			seen = fmt.Sprintf("%d times until %s", v.Seen, local(v.Until))
		}
		t.row(fmt.Sprintf("@%d", v.ID), local(v.ReceivedAt), v.Kind, v.Size, seen, by, yes(v.Complete), v.Source+newSource(v.Record), short(v.Filename), v.SHA256[:12])
		printed++
		return n == 0 || printed < n
	})
	if trouble != nil {
		err = trouble
	}
	if err != nil {
		return err
	}
	if err := t.print(); err != nil {
		return err
	}
	if printed == 0 && len(path) > 0 {
		fmt.Fprintf(a.err, "nothing changed there, ever; paths are written as diff heads its pieces: %q\n", strings.Join(path, " > "))
	}
	return a.printNotes(ctx, s, d)
}

// changedIn reports whether a version differs in path from the one before it.
func changedIn(ctx context.Context, s *store.Store, v store.Version, path []string, known map[int64][sha256.Size]byte) (bool, error) {
	this, err := section(ctx, s, v.Record, path, known)
	if err != nil {
		return false, err
	}
	before := sha256.Sum256(nil)
	if v.Previous != nil {
		if before, err = section(ctx, s, *v.Previous, path, known); err != nil {
			return false, err
		}
	}
	return this != before, nil
}

// section returns the hash of what is significant in a path of a capture.
func section(ctx context.Context, s *store.Store, r store.Record, path []string, known map[int64][sha256.Size]byte) (sum [sha256.Size]byte, err error) {
	if sum, ok := known[r.ID]; ok {
		return sum, nil
	}
	body, err := s.Content(ctx, r)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	for l := range device.Lines(body) {
		if l.Noise || !within(l, path) {
			continue
		}
		_, _ = h.Write(append(l.Significant(), '\n')) // a hash takes everything
	}
	h.Sum(sum[:0])
	known[r.ID] = sum
	return sum, nil
}

// within reports whether a line stands in a path, or opens it.
func within(l device.Line, path []string) bool {
	blocks := append(l.Path(), strings.Join(strings.Fields(string(l.Text)), " "))
	for i := 0; i+len(path) <= len(blocks); i++ {
		found := true
		for j, p := range path {
			found = found && abbreviates(p, blocks[i+j])
		}
		if found {
			return true
		}
	}
	return false
}

// pathOf splits "config firewall policy > edit 12".
func pathOf(text string) (path []string) {
	for part := range strings.SplitSeq(text, ">") {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			path = append(path, part)
		}
	}
	return path
}

// abbreviates reports whether a person may mean a block's header by given: its last words, each perhaps cut short before its
// number, without quotes and in any case: "interface gi1/0/1" for "interface GigabitEthernet1/0/1", "firewall policy" for "config
// firewall policy".
func abbreviates(given, header string) bool {
	g, h := strings.Fields(strings.ToLower(given)), strings.Fields(strings.ToLower(header))
	if len(g) > len(h) {
		return false
	}
	h = h[len(h)-len(g):]
	for i := range g {
		a, b := strings.Trim(g[i], `"'`), strings.Trim(h[i], `"'`)
		x, y := letters(a), letters(b)
		if x == 0 && y > 0 || !strings.HasPrefix(b[:y], a[:x]) || a[x:] != b[y:] {
			return false
		}
	}
	return true
}

// letters returns how many letters and signs a word has before its first digit.
func letters(word string) int {
	if i := strings.IndexAny(word, "0123456789"); i >= 0 {
		return i
	}
	return len(word)
}

const (
	// alike is how much of two texts must be the same for one to be taken for the other's successor under a new name: what changes
	// when a device is renamed is its name, and what is changed on the same day.
	alike = 0.8
	// alternating is how often the hardware must come back to what it was before to be pointed out: a spare that was put in and taken
	// out again is one return.
	alternating = 2
)

// printNotes says what is noteworthy about a device: other names, what it may have been before, two boxes under one name.
func (a *app) printNotes(ctx context.Context, s *store.Store, d store.Device) error {
	aliases, err := s.Aliases(ctx, d)
	if err != nil {
		return err
	}
	if len(aliases) > 0 {
		fmt.Fprintf(a.out, "\nalso known as %s\n", strings.Join(aliases, ", "))
	}
	first, formers, err := s.Formers(ctx, d)
	if err != nil {
		return err
	}
	var mine map[string]int
	for _, f := range formers {
		if f.Last.Kind != first.Kind {
			continue
		}
		if mine == nil {
			body, err := s.Content(ctx, first)
			if err != nil {
				return err
			}
			mine = lineCounts(body)
		}
		body, err := s.Content(ctx, f.Last)
		if err != nil {
			return err
		}
		if part := likeness(mine, lineCounts(body)); part >= alike {
			fmt.Fprintf(a.out, "\nwas %s until %s? %d%% of the text is the same, and nothing has come under that name since. To make them one:\n  tftpsql device merge %s %s\n",
				f.Ref(), local(f.LastSeen), int(part*100), quote(f.Ref()), quote(d.Ref()))
			break
		}
	}
	boxes, err := s.Boxes(ctx, d)
	if err != nil {
		return err
	}
	if text := alternate(boxes); text != "" {
		fmt.Fprintf(a.out, "\nmore than one box sends under this name: %s. Members of a cluster do; else give them names of their own.\n", text)
	}
	return nil
}

// alternate says which boxes take turns, or nothing.
func alternate(boxes []store.Box) string {
	seen := map[store.Box]bool{}
	returns := 0
	var names []string
	for _, b := range boxes {
		if seen[b] {
			returns++
			continue
		}
		seen[b] = true
		names = append(names, strings.TrimSpace(b.Model+" "+b.Serial))
	}
	if returns < alternating || len(names) < 2 {
		return ""
	}
	return strings.Join(names[:min(len(names), 4)], ", ")
}

// lineCounts counts the significant lines of a configuration.
func lineCounts(body []byte) map[string]int {
	counts := map[string]int{}
	for l := range device.Outline(body) {
		if !l.Noise {
			counts[string(bytes.TrimSpace(l.Significant()))]++
		}
	}
	return counts
}

// likeness is the part of the larger text that is in the other one too, by lines.
func likeness(a, b map[string]int) float64 {
	sizeA, sizeB, shared := 0, 0, 0
	for line, n := range a {
		sizeA += n
		shared += min(n, b[line])
	}
	for _, n := range b {
		sizeB += n
	}
	if sizeA == 0 || sizeB == 0 {
		return 0
	}
	return float64(shared) / float64(max(sizeA, sizeB))
}

// quote is a reference as a shell takes it.
func quote(ref string) string {
	if strings.Trim(ref, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@:") == "" {
		return ref
	}
	return "'" + strings.ReplaceAll(ref, "'", `'\''`) + "'"
}

package cli

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/store"
)

const (
	completePatience = 2 * time.Second // a person waits; a far PostgreSQL needs most of it
	completeDevices  = 200             // more fill a screen
	completeCaptures = 20              // the newest ones
	completeVersions = 10              // each is looked up
)

// completeArgs lets a shell complete the arguments that a command's usage calls a REF or a device.
func (a *app) completeArgs(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		a.completeArgs(cmd)
		var find []func(context.Context, *store.Store, string) ([]string, error)
		for _, word := range strings.Fields(cmd.Use)[1:] {
			switch strings.Trim(word, "[]") {
			case "REF":
				find = append(find, refsBeginning)
				continue
			case "DEVICE", "OLD", "INTO":
				find = append(find, devicesBeginning)
				continue
			}
			break
		}
		if len(find) == 0 {
			continue
		}
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) (
			[]string, cobra.ShellCompDirective) {
			const order = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
			if len(args) >= len(find) {
				return nil, order
			}
			return a.complete(cmd.Context(), begun, find[len(args)]), order
		}
	}
}

// complete returns what an argument may become, or nothing where the database can't be asked in
// time: a person types, and messages would stand in the line.
func (a *app) complete(ctx context.Context, begun string,
	find func(context.Context, *store.Store, string) ([]string, error)) (words []string) {
	ctx, cancel := context.WithTimeout(ctx, completePatience)
	defer cancel()
	a.err = io.Discard
	_ = a.onStore(ctx, func(s *store.Store) (err error) {
		words, err = find(ctx, s, begun)
		return err
	})
	if ctx.Err() != nil { // a shell would take what has come for all there is
		return nil
	}
	return words
}

// plainWord matches what means nothing to a shell or a terminal. A device may call itself anything,
// and a shell evaluates what it is given to complete.
var plainWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[\pL\pN/@_][\pL\pN/@_.:+~-]*$`)
})

// uidBegun matches what a uid may begin with, once it is long enough to tell few from all.
var uidBegun = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-f]{4}[0-9a-f-]*$`)
})

// devicesBeginning returns references to devices: NAME where one device alone has it, or SITE/NAME.
// A NAME of several that is begun is completed, too: the command says which ones there are.
func devicesBeginning(ctx context.Context, s *store.Store, begun string) (refs []string,
	err error) {
	names, err := s.NamesBeginning(ctx, begun, completeDevices)
	for i, n := range names {
		after := i > 0 && names[i-1].Name == n.Name
		several := after || i+1 < len(names) && names[i+1].Name == n.Name
		ref := store.Device{Site: n.Site, Name: n.Name}.Ref()
		if strings.HasPrefix(n.Name, begun) && (!several || !strings.HasPrefix(ref, begun)) {
			ref = n.Name
			if after {
				continue
			}
		}
		if plainWord().MatchString(ref) {
			refs = append(refs, ref)
		}
	}
	return refs, err
}

// refsBeginning returns references to devices, to a device's versions behind its ~, or to the
// newest captures where @ or a uid is begun. A tab and a description may follow.
func refsBeginning(ctx context.Context, s *store.Store, begun string) (refs []string, err error) {
	if strings.HasPrefix(begun, "@") {
		return capturesBeginning(ctx, s, begun, captureRef)
	}
	if name, n, ok := cutLast(begun, "~"); ok && plainWord().MatchString(name) {
		for back := 1; back <= completeVersions; back++ {
			ref := fmt.Sprintf("%s~%d", name, back)
			r, err := s.Resolve(ctx, ref, time.Time{})
			if err != nil {
				break
			}
			if strings.HasPrefix(ref, name+"~"+n) {
				refs = append(refs, ref+"\t"+local(r.ReceivedAt))
			}
		}
		if len(refs) > 0 {
			return refs, nil
		}
	}
	refs, err = devicesBeginning(ctx, s, begun)
	if len(refs) == 0 && uidBegun().MatchString(begun) && err == nil {
		return capturesBeginning(ctx, s, begun, func(r store.Record) string { return r.UID })
	}
	return refs, err
}

// cutLast cuts text around the last sep.
func cutLast(text, sep string) (before, after string, found bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(sep):], true
}

func capturesBeginning(ctx context.Context, s *store.Store, begun string,
	ref func(store.Record) string) (refs []string, err error) {
	list, err := s.Log(ctx, nil, completeCaptures)
	for _, r := range list {
		if word := ref(r); strings.HasPrefix(word, begun) {
			word += "\t" + local(r.ReceivedAt)
			if device := deviceRef(r); plainWord().MatchString(device) {
				word += " " + device
			}
			refs = append(refs, word)
		}
	}
	return refs, err
}

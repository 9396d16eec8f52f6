package worker

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/tftpsql/tftpsql/tftp"
)

// TestCures: every reason that a failure can have has its cure, and no cure is for a reason that
// doesn't exist.
func TestCures(t *testing.T) {
	all := map[string]bool{}
	for _, message := range tftp.Messages() {
		all[message] = true
	}
	for _, own := range ownReasons(t) {
		all[own] = true
	}
	if len(all) < 15 {
		t.Fatalf("only %d reasons were found", len(all))
	}
	for why := range all {
		if Cure(why) == "" || Cure(ofRead+why) == "" {
			t.Errorf("%q has no cure", why)
		}
	}
	for why := range cures {
		if name := trimRead(string(why)); !all[name] {
			t.Errorf("%q is no reason any more", why)
		}
	}
}

func trimRead(why string) string {
	if len(why) > len(ofRead) && why[:len(ofRead)] == ofRead {
		return why[len(ofRead):]
	}
	return why
}

// ownReasons returns the constants of type reason in reasons.go.
func ownReasons(t *testing.T) (list []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, isIdent := spec.Type.(*ast.Ident)
		if value, isText := spec.Values[0].(*ast.BasicLit); isIdent && kind.Name == "reason" &&
			isText {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, text)
		}
		return true
	})
	return list
}

package sftp

import (
	"path"
	"strings"
)

// target is what scp -t is told.
type target struct {
	path      string
	folder    bool // the path is one: by its form, by -d or since several files come
	recursive bool
}

var (
	errCommand = &Error{Message: "uploads only: sftp and scp are what runs here"}
	errScpRead = &Error{Message: "uploads only: scp can't read files here"}
	errShell   = &Error{Message: "the path has characters that only a shell understands"}
)

// maxCommand is how many bytes a command may have: the longest path, with every byte quoted.
const maxCommand = 2*maxPath + 64

// parseCommand reads the command "scp -t PATH" with the options that clients add.
func parseCommand(command string) (target, error) {
	if len(command) > maxCommand {
		return target{}, errPath
	}
	words, err := shellWords(command)
	if err != nil {
		return target{}, err
	}
	if len(words) == 0 || path.Base(words[0]) != "scp" {
		return target{}, errCommand
	}
	var t target
	to := false
	words = words[1:]
	for len(words) > 0 && len(words[0]) > 1 && words[0][0] == '-' {
		options := words[0][1:]
		words = words[1:]
		if options == "-" {
			break
		}
		for _, option := range options {
			switch option {
			case 't':
				to = true
			case 'f':
				return target{}, errScpRead
			case 'r':
				t.recursive = true
			case 'd':
				t.folder = true
			case 'p', 'v', 'q':
			default:
				return target{}, errCommand
			}
		}
	}
	if !to || len(words) > 1 {
		return target{}, errCommand
	}
	name := ""
	if len(words) == 1 {
		name = words[0]
	}
	clean, folder := resolve(name)
	t.path, t.folder = clean, t.folder || folder
	return t, checkPath(clean)
}

// shellWords splits a command as a POSIX shell does, and expands nothing: clients quote paths for
// the shell that they expect.
func shellWords(s string) (words []string, err error) {
	var word strings.Builder
	open, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && strings.IndexByte("\"\\$`", c) < 0:
			word.WriteByte(c)
		case c == '\\':
			if i++; i == len(s) {
				return nil, errShell
			}
			if quote == '"' && strings.IndexByte("\"\\$`", s[i]) < 0 {
				word.WriteByte(c)
			}
			word.WriteByte(s[i])
			open = true
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		case strings.IndexByte("|&;<>()$`\n", c) >= 0:
			return nil, errShell
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if quote != 0 {
		return nil, errShell
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

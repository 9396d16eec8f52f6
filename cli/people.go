package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// group is a command that has others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name()
	}
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: func(*cobra.Command, []string) error {
			return usageError{fmt.Errorf("%s what? %s; tftpsql %[1]s --help says more", use,
				strings.Join(names, ", "))}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	cmd.AddCommand(commands...)
	return cmd
}

func (a *app) userCommand() *cobra.Command {
	return group("user", "Add, list and remove the users of the page",
		a.addUserCommand(), a.listUsersCommand(), a.passwordCommand(),
		a.removal("user", "Remove a user, and end the user's logins", (*store.Store).RemoveUser))
}

func (a *app) addUserCommand() *cobra.Command {
	var f personFlags
	var none bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a user; asks for a password", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := f.person(args[0])
			if err != nil {
				return err
			}
			password := ""
			if !none {
				if password, err = a.newPassword(); err != nil {
					return err
				}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				err := s.AddUser(cmd.Context(), store.User{Person: who, Created: time.Now()},
					password)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out, "added %s, %s\n", who.Name, may(who))
				return a.noteSites(cmd.Context(), s, who.Sites)
			})
		},
	}
	f.add(cmd, store.Viewer)
	cmd.Flags().BoolVar(&none, "no-password", false,
		"the user logs in by a proxy (AUTH_HEADER) alone")
	return cmd
}

func (a *app) listUsersCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the users", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				users, err := s.Users(cmd.Context())
				if err != nil {
					return err
				}
				t := a.table("NAME", "MAY", "PASSWORD", "SINCE")
				for _, u := range users {
					t.row(u.Name, may(u.Person), yes(u.Local), local(u.Created))
				}
				return t.print()
			})
		},
	}
}

func (a *app) passwordCommand() *cobra.Command {
	return &cobra.Command{
		Use: "password NAME", Short: "Set a user's password, and end the user's logins",
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := a.newPassword()
			if err != nil {
				return err
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				err := s.SetPassword(cmd.Context(), args[0], password)
				if err == nil {
					fmt.Fprintf(a.out, "the password of %s is set\n", args[0])
				}
				return err
			})
		},
	}
}

// removal is a command that removes something by its name.
func (a *app) removal(what, short string,
	remove func(*store.Store, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: short, Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				err := remove(s, cmd.Context(), args[0])
				if err == nil {
					fmt.Fprintf(escaper{a.out}, "removed the %s %s\n", what, args[0])
				}
				return err
			})
		},
	}
}

func (a *app) tokenCommand() *cobra.Command {
	return group("token", "Add, list and remove the tokens of programs that use the API",
		a.addTokenCommand(), a.listTokensCommand(),
		a.removal("token", "End a token", (*store.Store).RemoveToken))
}

func (a *app) addTokenCommand() *cobra.Command {
	var f personFlags
	var lasts config.Age
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Make a token, and print its secret, once",
		Long: `Make a token, and print its secret, once. A program sends it as Authorization:
Bearer, or as the password. One of the role uploader may send configurations to /in/, and do
nothing else.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := f.checked(args[0], web.CheckToken)
			if err != nil {
				return err
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				secret, sum := web.NewSecret()
				t := store.Token{Person: who, CreatedBy: "tftpsql token", Created: time.Now()}
				if lasts > 0 {
					t.Expires = t.Created.Add(time.Duration(lasts))
				}
				err := s.AddToken(cmd.Context(), sum, t)
				if err != nil {
					return err
				}
				fmt.Fprintln(a.out, secret)
				if who.Role == store.Uploader { // its devices are to come
					return nil
				}
				return a.noteSites(cmd.Context(), s, who.Sites)
			})
		},
	}
	f.add(cmd, store.Viewer)
	cmd.Flags().Var(&ageFlag{&lasts}, "for", "how long it lasts, such as 1y; for ever if not given")
	return cmd
}

func (a *app) listTokensCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the tokens", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				tokens, err := s.Tokens(cmd.Context())
				if err != nil {
					return err
				}
				t := a.table("NAME", "MAY", "MADE", "BY", "USED", "UNTIL")
				for _, k := range tokens {
					used, until := "never", "for ever"
					if k.Used.After(k.Created) {
						used = local(k.Used)
					}
					if !k.Expires.IsZero() {
						until = local(k.Expires)
					}
					t.row(k.Name, may(k.Person), local(k.Created), k.CreatedBy, used, until)
				}
				return t.print()
			})
		},
	}
}

// may says what a person may see.
func may(who store.Person) string {
	if who.Sites == nil {
		return string(who.Role)
	}
	return fmt.Sprintf("%s of %q", who.Role, who.Sites)
}

// newPassword asks for a password, twice on a terminal, and returns what is stored of it.
func (a *app) newPassword() (string, error) {
	password, err := a.askPassword("Password: ")
	if err != nil {
		return "", err
	}
	if err := web.CheckPassword(password); err != nil {
		return "", usageError{err}
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		again, err := a.askPassword("Once more: ")
		if err != nil {
			return "", err
		}
		if again != password {
			return "", errors.New("these are two different passwords: nothing is changed")
		}
	}
	return web.HashPassword(password), nil
}

// longestLine bounds a line that is read from a pipe, in bytes.
const longestLine = 4096

// askPassword reads a password from the terminal, or a line from a pipe.
func (a *app) askPassword(prompt string) (string, error) {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Fprint(a.err, prompt)
		b, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(a.err)
		return string(b), err
	}
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, longestLine)).ReadString('\n')
	if err != nil && line == "" {
		return "", errors.New("no password: type it, or give a line on stdin")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

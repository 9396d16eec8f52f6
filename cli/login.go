package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/tftpsql/tftpsql/store"
)

func (a *app) loginCommand() *cobra.Command {
	return group("login", "Add, list and remove the logins of devices that send by SFTP or SCP",
		a.addLoginCommand(), a.listLoginsCommand(), a.loginPasswordCommand(),
		a.removal("login", "Remove a login", (*store.Store).RemoveLogin))
}

func (a *app) addLoginCommand() *cobra.Command {
	var site string
	var keys []string
	var password bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a login; asks for a password unless a key is given",
		Long: `Add a login, for one device or for all of a site. It may send files to SSH_ADDR
and do nothing else: there is no shell, and nothing can be read back.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			l := store.Sender{Name: args[0], Site: site, Created: time.Now()}
			if l.Name == "" || len(l.Name) > longestLogin {
				return usageError{fmt.Errorf("a login has 1 to %d bytes", longestLogin)}
			}
			var lines []string
			for _, file := range keys {
				more, err := publicKeys(file)
				if err != nil {
					return err
				}
				lines = append(lines, more...)
			}
			stored := ""
			if password || len(lines) == 0 {
				if stored, err = a.newPassword(); err != nil {
					return err
				}
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				err := s.AddLogin(cmd.Context(), l, stored, lines)
				if err == nil {
					fmt.Fprintf(escaper{a.out}, "added the login %s\n", l.Name)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&site, "site", "",
		"the site of what it sends; that of the file's folder if not given")
	cmd.Flags().StringArrayVar(&keys, "key", nil,
		"file with a public key, or with several; may be given again")
	cmd.Flags().BoolVar(&password, "password", false, "ask for a password beside the keys")
	return cmd
}

// longestLogin bounds a login, in bytes.
const longestLogin = 200

// publicKeys reads the keys of a file such as id_ed25519.pub or authorized_keys.
func publicKeys(file string) (lines []string, err error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for len(rest) > 0 {
		var key ssh.PublicKey
		key, _, _, rest, err = ssh.ParseAuthorizedKey(rest)
		if err != nil {
			break
		}
		lines = append(lines, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
	}
	if len(lines) == 0 {
		return nil, errors.New(file + " holds no public key: one is a line such as " +
			"ssh-ed25519 AAAA...")
	}
	return lines, nil
}

func (a *app) listLoginsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the logins", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				logins, err := s.Senders(cmd.Context())
				if err != nil {
					return err
				}
				t := a.table("NAME", "SITE", "PASSWORD", "KEYS", "SINCE", "USED")
				for _, l := range logins {
					used := "never"
					if l.Used.After(l.Created) {
						used = local(l.Used)
					}
					t.row(l.Name, l.Site, yes(l.Password), l.Keys, local(l.Created), used)
				}
				return t.print()
			})
		},
	}
}

func (a *app) loginPasswordCommand() *cobra.Command {
	return &cobra.Command{
		Use: "password NAME", Short: "Set a login's password", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := a.newPassword()
			if err != nil {
				return err
			}
			return a.onStore(cmd.Context(), func(s *store.Store) error {
				err := s.SetLoginPassword(cmd.Context(), args[0], password)
				if err == nil {
					fmt.Fprintf(escaper{a.out}, "the password of %s is set\n", args[0])
				}
				return err
			})
		},
	}
}

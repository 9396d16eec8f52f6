package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/worker"
)

// healthcheckLimit is how long the server may take to answer: less than the 3 s after which
// orchestrators give up.
const healthcheckLimit = 2500 * time.Millisecond

func (a *app) healthcheckCommand() *cobra.Command {
	var live bool
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the server on this machine whether captures can be stored",
		Long: `Ask the server at HTTP_ADDR whether captures can be stored (/readyz), or with
--live whether its UDP loop runs (/healthz). The exit status is 0 for yes and 1 for no, or no
answer. It needs nothing but the program, so that containers without a shell can use it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.configErr != nil {
				return a.configErr
			}
			at := a.config.HTTP
			if at.Addr == "" {
				return errors.New("HTTP_ADDR (--http) is none: there is nothing to ask")
			}
			path := "/readyz"
			if live {
				path = "/healthz"
			}
			text, err := ask(cmd.Context(), at.Local(), path, a.config.TLSCert != "")
			if err == nil {
				fmt.Fprintln(a.out, text)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether the UDP loop turns")
	a.config.Flags(cmd.Flags(), config.OnHealthcheck)
	return cmd
}

// ask returns what the server at an address answers, or an error where it says no. It doesn't
// verify a certificate: that is for the name by which others reach this machine, and nothing secret
// is asked or sent.
func ask(ctx context.Context, address, path string, secure bool) (string, error) {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+address+path, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{
		Timeout: healthcheckLimit,
		Transport: &http.Transport{DisableKeepAlives: true, // and no proxy
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w: is the server running, with the same HTTP_ADDR?", err)
	}
	defer response.Body.Close()
	if response.Header.Get("Server") != worker.ServerHeader {
		return "", fmt.Errorf(
			"what answers at %s is not tftpsql: is HTTP_ADDR (--http) the same as the server's?",
			address)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, text)
	}
	return text, nil
}

package worker

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// askLimit is how long the server may take to answer: less than the 3 s after which orchestrators
// give up.
const askLimit = 2500 * time.Millisecond

// Ask returns what the server at an address answers, or an error where it says no. It doesn't
// verify a certificate: that is for the name by which others reach this machine, and nothing secret
// is asked or sent.
func Ask(ctx context.Context, address, path string, secure bool) (string, error) {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+address+path, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{
		Timeout: askLimit,
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
	if response.Header.Get("Server") != ServerHeader {
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

package history

import (
	"errors"

	"github.com/tftpsql/tftpsql/device"
)

// ErrSecretsUnknown is why a configuration can't be shown without its secrets.
var ErrSecretsUnknown = errors.New(
	"it is unknown where secrets stand in this capture, so it is not shown without them")

// Redacted returns a configuration as text without its secrets, a line for each of its lines. It
// returns ErrSecretsUnknown where the platform is unknown or the configuration is no text: what
// isn't understood isn't shown.
func Redacted(body []byte) ([]byte, error) {
	if !device.Known(body) {
		return nil, ErrSecretsUnknown
	}
	out := make([]byte, 0, len(body))
	for l := range device.Lines(body) {
		out = append(append(out, l.Redacted()...), '\n')
	}
	return out, nil
}

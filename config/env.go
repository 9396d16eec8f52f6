package config

import (
	"strings"
)

// variable returns a variable of the environment.
func Variable(environ []string, name string) string {
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

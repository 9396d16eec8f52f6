package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The parameters of argon2id are the least that OWASP's password storage cheat sheet asks for:
// 19 MiB and two passes. They are kept with each password, so they may be raised.
const (
	hashMemory = 19 << 10 // KiB
	hashPasses = 2
	hashSize   = 32 // bytes
	saltSize   = 16 // bytes

	// passwordsAtOnce bounds the memory that logins take: machines with 256 MiB must live.
	passwordsAtOnce = 2

	// leastPassword and mostPassword bound a password, in bytes. Long ones cost nothing more, and a
	// form has a bound too.
	leastPassword = 10
	mostPassword  = 1024
)

// CheckPassword returns an error where a new password is too short or too long.
func CheckPassword(password string) error {
	if len(password) < leastPassword || len(password) > mostPassword {
		return fmt.Errorf("a password has %d to %d bytes", leastPassword, mostPassword)
	}
	return nil
}

// HashPassword returns what is stored of a password.
func HashPassword(password string) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, 1, hashSize)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, hashMemory,
		hashPasses, base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(sum))
}

// nobodys is compared where there is no password, so that it takes as long.
const nobodys = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"

// hashing bounds the passwords that are computed at once.
var hashing = make(chan struct{}, passwordsAtOnce)

// PasswordIs reports whether a password is the one that was stored; "" is none, and takes as long.
// It waits while others are compared.
func PasswordIs(ctx context.Context, password, stored string) (bool, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if stored == "" {
		stored = nobodys
	}
	var version int
	var memory, passes uint32
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("a stored password is damaged")
	}
	_, errVersion := fmt.Sscanf(parts[2], "v=%d", &version)
	_, errCost := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &memory, &passes)
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	want, errSum := base64.RawStdEncoding.DecodeString(parts[5])
	if err := errors.Join(errVersion, errCost, errSalt, errSum); err != nil ||
		version != argon2.Version {
		return false, errors.New("a stored password is damaged")
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, 1, hashSize)
	return len(password) <= mostPassword && subtle.ConstantTimeCompare(got, want) == 1, nil
}

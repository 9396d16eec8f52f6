//go:build !race

package web_test

// underRace says that everything takes ten times as long.
const underRace = false

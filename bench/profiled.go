//go:build profiled

// This file is compiled into no program of bench's: bench adds it to package main of the whole
// program, by go build -overlay, where one missed its goal. The program has no such hook itself.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/tftpsql/tftpsql/cli"
)

// init is the program, in a folder's CPU profile: main would exit before it is written. It runs on
// a goroutine of its own, since Go ties the one that initialises to a thread.
func init() {
	f, err := os.CreateTemp(os.Getenv("TFTPSQL_BENCH_PROFILE"), "*.pprof")
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() { // ends the program
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		status := cli.Run(ctx, version, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
		pprof.StopCPUProfile()
		os.Exit(status)
	}()
	select {}
}

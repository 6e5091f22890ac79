package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

const testTimeout = 90 * time.Second

type test struct {
	name string
	run  func(ctx context.Context)
}

// problem is what check() panics with.
type problem string

func check(ok bool, format string, arguments ...any) {
	if !ok {
		panic(problem(fmt.Sprintf(format, arguments...)))
	}
}

func must[T any](value T, err error) T {
	check(err == nil, "%v", err)
	return value
}

// attempt runs one test; its problem, or "".
func attempt(t test) (failure string) {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			failure = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	t.run(ctx)
	return ""
}

// runAll prints one point for each test; the number of those that failed.
func runAll(tests []test) int {
	failed := 0
	fmt.Printf("1..%d\n", len(tests))
	for i, t := range tests {
		if len(os.Args) > 1 && !strings.Contains(t.name, os.Args[1]) {
			fmt.Printf("ok %d - %s # SKIP not asked for\n", i+1, t.name)
			continue
		}
		if failure := attempt(t); failure != "" {
			failed++
			fmt.Printf("not ok %d - %s\n# %s\n", i+1, t.name, strings.ReplaceAll(failure, "\n", "\n# "))
		} else {
			fmt.Printf("ok %d - %s\n", i+1, t.name)
		}
	}
	return failed
}

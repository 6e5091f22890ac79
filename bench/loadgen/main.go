// Command loadgen drives a server that speaks Temporal's gRPC API with whole workflows, checks every result, and
// prints one line of JSON with throughput and latencies. It exits 1 when any workflow was lost or gave a wrong result.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/protobuf/types/known/durationpb"
)

// sample is one workflow as its client saw it.
type sample struct {
	start, total time.Duration // the start call; from the start call to the result
	doneAt       time.Time
	errors       int   // attempts that failed and were made again
	err          error // what made us give the workflow up
}

type percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

type report struct {
	Scenario         string      `json:"scenario"`
	Concurrency      int         `json:"concurrency"`
	Workflows        int         `json:"workflows"`
	WarmUp           int         `json:"warm_up"` // workflows before those; nothing else here counts them
	Seconds          float64     `json:"seconds"`
	WorkflowsPerS    float64     `json:"workflows_per_s"`
	ActivitiesPerS   float64     `json:"activities_per_s"`
	StartMs          percentiles `json:"start_ms"`
	EndToEndMs       percentiles `json:"end_to_end_ms"`
	LongestStallMs   float64     `json:"longest_stall_ms"` // longest time in which no workflow finished
	Errors           int         `json:"errors"`           // attempts that failed and were made again
	Lost             int         `json:"lost"`             // workflows given up, or with a wrong result
	ActivitiesWanted int64       `json:"activities_wanted"`
	ActivitiesRun    int64       `json:"activities_run"`                // more than wanted: some ran twice
	DueToAllFiredMs  float64     `json:"due_to_all_fired_ms,omitempty"` // timers-at-once: until the last worker knew
	CPUSeconds       float64     `json:"loadgen_cpu_s"`
}

func main() {
	address := flag.String("address", "127.0.0.1:7233", "frontend address")
	namespace := flag.String("namespace", "default", "namespace, which must exist")
	taskQueue := flag.String("task-queue", "", "task queue (default: a new one)")
	name := flag.String("scenario", "hello", fmt.Sprint("one of ", scenarioNames()))
	workers := flag.Int("workers-in-process", 1, "workers in this process; 0 leaves the work to others")
	pollers := flag.Int("pollers", 8, "workflow pollers, and activity pollers, of each worker")
	concurrency := flag.Int("concurrency", 1, "workflows in flight")
	count := flag.Int("count", 0, "workflows to run (0: as many as --duration allows)")
	duration := flag.Duration("duration", 10*time.Second, "how long to start workflows when --count is 0")
	warmup := flag.Int("warmup", 0, "workflows to run first, unmeasured")
	timeout := flag.Duration("timeout", 2*time.Minute, "give a workflow up after this long")
	due := flag.Duration("due", time.Minute, "timers-at-once: time from now to the common instant")
	hold := flag.Duration("hold", time.Minute, "park: how long all workflows wait at the same time")
	eager := flag.Bool("eager-start", false, "ask for eager workflow start")
	progress := flag.Bool("progress", false, "print finished workflows each second on stderr")
	mustRegister := flag.Bool("register", false, "register the namespace first, and wait until it can be used")
	redial := flag.Duration("redial", 0, "how often to try again to connect (0: as gRPC does)")
	finishedFile := flag.String("finished", "", "file to write the time of each finished workflow to, in Unix milliseconds")
	flag.Parse()

	sc, ok := scenarios[*name]
	if !ok {
		log.Fatalf("no scenario %q; there are %v", *name, scenarioNames())
	}
	if sc.oneAtATime {
		*concurrency = 1
	}
	// The run's id keeps runs apart; seconds do not suffice where runs follow each other quickly.
	runID := fmt.Sprintf("%s-%d", *name, time.Now().UnixNano())
	if *taskQueue == "" {
		*taskQueue = "loadgen-" + runID
	}

	if *mustRegister {
		registerNamespace(*address, *namespace)
	}
	options := client.Options{HostPort: *address, Namespace: *namespace, Logger: quiet{}}
	if *redial > 0 {
		options.ConnectionOptions.DialOptions = append(options.ConnectionOptions.DialOptions,
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: *redial, Multiplier: 1, MaxDelay: *redial}}))
	}
	c, err := client.Dial(options)
	if err != nil {
		log.Fatalln("dial:", err)
	}
	defer c.Close()
	for range *workers {
		w := worker.New(c, *taskQueue, worker.Options{
			MaxConcurrentWorkflowTaskPollers: max(2, *pollers), // the sticky queue needs a second one
			MaxConcurrentActivityTaskPollers: *pollers,
		})
		register(w)
		if err := w.Start(); err != nil {
			log.Fatalln("worker:", err)
		}
		defer w.Stop()
	}

	if *progress {
		go printProgress()
	}
	if *finishedFile != "" {
		f, err := os.Create(*finishedFile)
		if err != nil {
			log.Fatalln(err)
		}
		finishedTimes = f
	}
	go stopStarting()
	g := generator{
		client: c, scenario: sc, runID: runID, timeout: *timeout, dueAt: time.Now().Add(*due),
		options: client.StartWorkflowOptions{
			TaskQueue: *taskQueue,
			// A start that is made again after a lost answer must not make a second run.
			WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			EnableEagerStart:      *eager,
		},
	}

	each(*concurrency, *warmup, time.Time{}, func(i int) sample { return g.finish(g.start(-1 - i)) })
	activitiesRun.Store(0)
	finished.Store(0)
	began, cpu := time.Now(), cpuSeconds()
	var samples []sample
	switch {
	case sc.together:
		samples = g.together(*concurrency, *count, *hold)
	case *count > 0:
		samples = each(*concurrency, *count, time.Time{}, func(i int) sample { return g.finish(g.start(i)) })
	default:
		samples = each(*concurrency, 0, began.Add(*duration), func(i int) sample { return g.finish(g.start(i)) })
	}

	r := summarize(samples, began)
	r.Scenario, r.Concurrency, r.WarmUp = *name, *concurrency, *warmup
	r.ActivitiesWanted = int64(sc.activities * r.Workflows)
	r.ActivitiesRun = activitiesRun.Load()
	r.ActivitiesPerS = r.WorkflowsPerS * float64(sc.activities)
	r.CPUSeconds = cpuSeconds() - cpu
	if last := lastFired.Load(); last > 0 {
		r.DueToAllFiredMs = ms(time.Unix(0, last).Sub(g.dueAt))
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		log.Fatalln(err)
	}
	if r.Lost > 0 || r.Workflows == 0 {
		os.Exit(1) // the process's end stops the workers
	}
}

// registerNamespace waits for the server, and until workflows can be started in the namespace.
func registerNamespace(address, namespace string) {
	deadline := time.Now().Add(time.Minute)
	for {
		c, err := client.NewNamespaceClient(client.Options{HostPort: address, Logger: quiet{}})
		if err == nil {
			err = c.Register(context.Background(), &workflowservice.RegisterNamespaceRequest{
				Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
			})
			c.Close()
			var exists *serviceerror.NamespaceAlreadyExists
			if err == nil || errors.As(err, &exists) {
				time.Sleep(15 * time.Second) // its caches are refreshed every 10 s
				return
			}
		}
		if time.Now().After(deadline) {
			log.Fatalln("register:", err)
		}
		time.Sleep(time.Second)
	}
}

// each calls f with 0, 1, 2… from n goroutines: count times, or until a time when that is set.
func each[T any](n, count int, until time.Time, f func(int) T) []T {
	var (
		next    atomic.Int64
		mu      sync.Mutex
		results []T
		wg      sync.WaitGroup
	)
	for range n {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if until.IsZero() && i >= count || !until.IsZero() && (stopping.Load() || time.Now().After(until)) {
					return
				}
				r := f(i)
				mu.Lock()
				results = append(results, r)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return results
}

// generator starts workflows and sees them to their results.
type generator struct {
	client   client.Client
	scenario scenario
	options  client.StartWorkflowOptions
	runID    string
	timeout  time.Duration
	dueAt    time.Time
}

// flight is a workflow that has been started.
type flight struct {
	n     int
	began time.Time
	run   client.WorkflowRun // nil when the start was given up
	sample
}

func (g *generator) start(n int) flight {
	o := g.options
	o.ID = fmt.Sprintf("%s-%d", g.runID, n)
	f := flight{n: n, began: time.Now()}
	f.try(g.timeout, func(ctx context.Context) (err error) {
		f.run, err = g.client.ExecuteWorkflow(ctx, o, g.scenario.workflow, input{N: n, DueAt: g.dueAt})
		return err
	})
	f.start = time.Since(f.began)
	return f
}

func (g *generator) finish(f flight) sample {
	for i := 0; i < g.scenario.signals && f.err == nil; i++ {
		f.try(g.timeout, func(ctx context.Context) error {
			return g.client.SignalWorkflow(ctx, f.run.GetID(), f.run.GetRunID(), signalName, i)
		})
	}
	var got int
	if f.err == nil {
		f.try(g.timeout, func(ctx context.Context) error { return f.run.Get(ctx, &got) })
	}
	if want := g.scenario.want(f.n); f.err == nil && got != want {
		f.err = fmt.Errorf("got %d, want %d", got, want)
	}
	if f.err != nil {
		log.Printf("%s-%d lost: %v", g.runID, f.n, f.err)
	}
	f.doneAt = time.Now()
	f.total = f.doneAt.Sub(f.began)
	finished.Add(1)
	if finishedTimes != nil {
		fmt.Fprintln(finishedTimes, f.doneAt.UnixMilli())
	}
	return f.sample
}

// together starts all workflows before it finishes the first.
func (g *generator) together(concurrency, count int, hold time.Duration) []sample {
	flights := each(concurrency, count, time.Time{}, g.start)
	log.Printf("%d workflows wait", count)
	if g.scenario.timersAtOnce {
		time.Sleep(time.Until(g.dueAt))
		// Asking for results now would compete with the timers.
		for end := time.Now().Add(g.timeout); fired.Load() < int64(count) && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		log.Printf("%d timers fired", fired.Load())
	} else {
		time.Sleep(hold)
	}
	return each(concurrency, count, time.Time{}, func(i int) sample { return g.finish(flights[i]) })
}

// try calls f until it succeeds or the timeout has passed.
func (s *sample) try(timeout time.Duration, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		err := f(ctx)
		if err == nil {
			return
		}
		s.errors++
		if ctx.Err() != nil {
			s.err = err
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func summarize(samples []sample, began time.Time) report {
	var (
		r            report
		start, total []time.Duration
		done         []time.Time
	)
	for _, s := range samples {
		r.Errors += s.errors
		if s.err != nil {
			r.Lost++
			continue
		}
		start, total, done = append(start, s.start), append(total, s.total), append(done, s.doneAt)
	}
	r.Workflows = len(done)
	r.StartMs, r.EndToEndMs = percentilesOf(start), percentilesOf(total)
	slices.SortFunc(done, time.Time.Compare)
	last := began
	for _, t := range done {
		r.LongestStallMs = max(r.LongestStallMs, ms(t.Sub(last)))
		last = t
	}
	if r.Seconds = last.Sub(began).Seconds(); r.Seconds > 0 {
		r.WorkflowsPerS = math.Round(float64(r.Workflows)/r.Seconds*100) / 100
	}
	return r
}

func percentilesOf(d []time.Duration) percentiles {
	if len(d) == 0 {
		return percentiles{}
	}
	slices.Sort(d)
	at := func(p int) float64 { return ms(d[min(len(d)-1, len(d)*p/100)]) }
	return percentiles{at(50), at(95), at(99), ms(d[len(d)-1])}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatalln("getrusage:", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

var (
	finished      atomic.Int64
	finishedTimes *os.File // or nil
	stopping      atomic.Bool
)

// stopStarting lets what has begun finish, once SIGTERM has come.
func stopStarting() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	stopping.Store(true)
}

func printProgress() {
	var before int64
	for t := range time.Tick(time.Second) {
		n := finished.Load()
		fmt.Fprintf(os.Stderr, "%s finished=%d +%d\n", t.Format("15:04:05.000"), n, n-before)
		before = n
	}
}

// quiet drops the SDK's log lines: a server that goes away under load would fill the terminal with them.
type quiet struct{}

var _ sdklog.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

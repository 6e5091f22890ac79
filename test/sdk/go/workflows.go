package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

var (
	asyncTokens = make(chan []byte, 1)
	beating     = make(chan struct{}, 1)
	stopped     = make(chan struct{}, 1)

	sideEffects   int
	sideEffectsMu sync.Mutex

	colour = temporal.NewSearchAttributeKeyKeyword("GoColour")
)

func Greet(_ context.Context, name string) (string, error) {
	return "Hello, " + name + "!", nil
}

func FailUntil(ctx context.Context, attempt int32) (int32, error) {
	if now := activity.GetInfo(ctx).Attempt; now < attempt {
		return 0, errors.New("not yet")
	}
	return attempt, nil
}

func FailForGood(context.Context) error {
	return temporal.NewNonRetryableApplicationError("never", "Never", nil, 42)
}

func SleepLong(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Minute):
		return nil
	}
}

func BeatUntilCancelled(ctx context.Context) error {
	for {
		activity.RecordHeartbeat(ctx, "beat")
		select {
		case beating <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			stopped <- struct{}{}
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func RememberHeartbeat(ctx context.Context) (string, error) {
	var details string
	if activity.HasHeartbeatDetails(ctx) {
		return details, activity.GetHeartbeatDetails(ctx, &details)
	}
	activity.RecordHeartbeat(ctx, "from the first attempt")
	return "", errors.New("lost")
}

func CompleteLater(ctx context.Context) (string, error) {
	asyncTokens <- activity.GetInfo(ctx).TaskToken
	return "", activity.ErrResultPending
}

func options(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 20 * time.Second,
		HeartbeatTimeout:    5 * time.Second,
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond},
	})
}

func Hello(ctx workflow.Context, name string) (result string, err error) {
	err = workflow.ExecuteActivity(options(ctx), Greet, name).Get(ctx, &result)
	return
}

func Chain(ctx workflow.Context, steps int) (int, error) {
	for i := range steps {
		if err := workflow.ExecuteActivity(options(ctx), Greet, "x").Get(ctx, nil); err != nil {
			return i, err
		}
		if err := workflow.Sleep(ctx, 10*time.Millisecond); err != nil {
			return i, err
		}
	}
	return steps, nil
}

func Fanout(ctx workflow.Context, width int) (int, error) {
	var futures []workflow.Future
	for range width {
		futures = append(futures, workflow.ExecuteActivity(options(ctx), Greet, "x"))
	}
	for i, future := range futures {
		if err := future.Get(ctx, nil); err != nil {
			return i, err
		}
	}
	return width, nil
}

func Retries(ctx workflow.Context, attempt int32) (result int32, err error) {
	err = workflow.ExecuteActivity(options(ctx), FailUntil, attempt).Get(ctx, &result)
	return
}

func Failures(ctx workflow.Context) error {
	return workflow.ExecuteActivity(options(ctx), FailForGood).Get(ctx, nil)
}

func Timeouts(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Second,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	return workflow.ExecuteActivity(ctx, SleepLong).Get(ctx, nil)
}

func HeartbeatDetails(ctx workflow.Context) (result string, err error) {
	err = workflow.ExecuteActivity(options(ctx), RememberHeartbeat).Get(ctx, &result)
	return
}

func Cancelled(ctx workflow.Context) error {
	return workflow.ExecuteActivity(options(ctx), BeatUntilCancelled).Get(ctx, nil)
}

func Timers(ctx workflow.Context) (order []string, err error) {
	forgotten, forget := workflow.WithCancel(ctx)
	workflow.NewTimer(forgotten, time.Hour)
	late, early := workflow.NewTimer(ctx, 300*time.Millisecond), workflow.NewTimer(ctx, 50*time.Millisecond)
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(late, func(workflow.Future) { order = append(order, "late") })
	selector.AddFuture(early, func(workflow.Future) { order = append(order, "early") })
	selector.Select(ctx)
	selector.Select(ctx)
	forget()
	return
}

func Signals(ctx workflow.Context, wanted int) (got []string, err error) {
	channel := workflow.GetSignalChannel(ctx, "add")
	for len(got) < wanted {
		var text string
		channel.Receive(ctx, &text)
		got = append(got, text)
	}
	return
}

func Locals(ctx workflow.Context) (result int32, err error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 20 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 10 * time.Millisecond},
	})
	err = workflow.ExecuteLocalActivity(ctx, FailUntil, int32(3)).Get(ctx, &result)
	return
}

func Deterministic(ctx workflow.Context) (version int, err error) {
	var effect int
	err = workflow.SideEffect(ctx, func(workflow.Context) any {
		sideEffectsMu.Lock()
		defer sideEffectsMu.Unlock()
		sideEffects++
		return sideEffects
	}).Get(&effect)
	if err != nil {
		return
	}
	if err = workflow.Sleep(ctx, 20*time.Millisecond); err != nil {
		return
	}
	version = int(workflow.GetVersion(ctx, "change", workflow.DefaultVersion, 2))
	err = workflow.Sleep(ctx, 20*time.Millisecond)
	return
}

func Attributes(ctx workflow.Context) (result []string, err error) {
	before, _ := workflow.GetTypedSearchAttributes(ctx).GetKeyword(colour)
	if err = workflow.UpsertTypedSearchAttributes(ctx, colour.ValueSet("green")); err != nil {
		return
	}
	if err = workflow.UpsertMemo(ctx, map[string]any{"mood": "good"}); err != nil {
		return
	}
	err = workflow.Sleep(ctx, 10*time.Millisecond)
	after, _ := workflow.GetTypedSearchAttributes(ctx).GetKeyword(colour)
	return []string{before, after}, err
}

func Later(ctx workflow.Context) (result string, err error) {
	err = workflow.ExecuteActivity(options(ctx), CompleteLater).Get(ctx, &result)
	return
}

func Endless(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool { return false })
}

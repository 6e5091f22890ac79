// Orders of mixed.sql in Go.
//
//	go run .
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

type order struct {
	ID       int64   `json:"order_id"`
	Amount   float64 `json:"amount"`
	Language string  `json:"language"`
}

func ship(_ context.Context, o order) (string, error) {
	return fmt.Sprint("shipped by go: ", o.ID), nil
}

func process(ctx workflow.Context, o order) (string, error) {
	var charged, shipped string
	options := workflow.ActivityOptions{TaskQueue: "payments", StartToCloseTimeout: 30 * time.Second}
	// A function in the database, exactly once.
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "charge", o).Get(ctx, &charged); err != nil {
		return "", err
	}
	options.TaskQueue = ""
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), ship, o).Get(ctx, &shipped); err != nil {
		return "", err
	}
	return charged + ", " + shipped, nil
}

func main() {
	c, err := client.Dial(client.Options{HostPort: cmp.Or(os.Getenv("TEMPORAL_ADDRESS"), "127.0.0.1:7233")})
	if err != nil {
		log.Fatalln(err)
	}
	defer c.Close()
	w := worker.New(c, "orders-go", worker.Options{})
	w.RegisterWorkflowWithOptions(process, workflow.RegisterOptions{Name: "Order"})
	w.RegisterActivity(ship)
	if err := w.Run(worker.InterruptCh()); err != nil {
		log.Fatalln(err)
	}
}

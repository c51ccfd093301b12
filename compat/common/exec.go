package common

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ExecCommandInput says which program CallExecCommandWithContext runs and how.
// Of the original's fields these are the ones upgrade-guard sets.
type ExecCommandInput struct {
	// Command is the program, looked up in PATH. No shell is involved.
	Command string
	// Args are its arguments.
	Args []string
	// Env is added to the current environment.
	Env map[string]string
	// Stdin is what the program reads; nothing when nil.
	Stdin io.Reader
	// WorkingDirectory is where it runs; the current one when empty.
	WorkingDirectory string
}

// ExecCommandResponse is what a program answered. It is filled even when the
// call returns an error, as far as the program got.
type ExecCommandResponse struct {
	Stdout   string
	Stderr   string
	ExitCode int
}

// StdoutContents is the standard output without surrounding white space.
func (r ExecCommandResponse) StdoutContents() string { return strings.TrimSpace(r.Stdout) }

// StderrContents is the standard error without surrounding white space.
func (r ExecCommandResponse) StderrContents() string { return strings.TrimSpace(r.Stderr) }

// StdoutBytes is the standard output without surrounding white space.
func (r ExecCommandResponse) StdoutBytes() []byte { return []byte(r.StdoutContents()) }

// CallExecCommandWithContext runs a program and captures what it prints. A
// non-zero exit is an error whose text is the program's whole standard error,
// which may be empty. When ctx ends the program is killed and the error is
// ctx's.
func CallExecCommandWithContext(ctx context.Context, input ExecCommandInput) (ExecCommandResponse, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, input.Command, input.Args...)
	cmd.Dir = input.WorkingDirectory
	cmd.Stdin = input.Stdin
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // a grandchild that keeps the pipe open must not hold us
	cmd.Env = os.Environ()
	for k, v := range input.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	err := cmd.Run()
	response := ExecCommandResponse{Stdout: stdout.String(), Stderr: stderr.String()}
	if cmd.ProcessState != nil {
		response.ExitCode = cmd.ProcessState.ExitCode()
	}
	if ctx.Err() != nil {
		return response, ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return response, errors.New(response.Stderr)
	}
	return response, err
}

// PlugnTriggerInput says which trigger CallPlugnTriggerWithContext fires.
type PlugnTriggerInput struct {
	Trigger string
	Args    []string
	Env     map[string]string
	Stdin   io.Reader
}

// CallPlugnTriggerWithContext fires a trigger in every enabled plugin, in
// alphabetical order, and stops at the first that fails. A trigger that no
// plugin has succeeds and prints nothing.
func CallPlugnTriggerWithContext(ctx context.Context, input PlugnTriggerInput) (ExecCommandResponse, error) {
	return CallExecCommandWithContext(ctx, ExecCommandInput{
		Command: "plugn",
		Args:    append([]string{"trigger", input.Trigger}, input.Args...),
		Env:     input.Env,
		Stdin:   input.Stdin,
	})
}

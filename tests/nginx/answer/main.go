// Answer is the app of these tests: it answers every request with its name.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "app=%s\n", os.Getenv("APP")) })
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":5000", nil))
	os.Exit(1)
}

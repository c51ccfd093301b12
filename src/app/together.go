package app

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Together does something with each of so many things, as many at once as there are cores. A
// panic in it is the caller's, as if it had done it all itself: in a goroutine it would end
// the process, and with it the dpkg or dokku that called us.
func Together(n int, do func(i int)) {
	var next atomic.Int64
	var panicked atomic.Pointer[any]
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					panicked.CompareAndSwap(nil, &r)
				}
			}()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
	if r := panicked.Load(); r != nil {
		panic(*r)
	}
}

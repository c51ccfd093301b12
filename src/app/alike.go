package app

import "sync"

// alike are small contents that many files have: of a thousand apps' properties most say
// the same few things. Each is held, and hashed, once.
type alike struct {
	mu   sync.Mutex
	seen map[string]content
}

// content is what a file holds, which nobody writes to, with its digest.
type content struct {
	data   []byte
	digest string
}

const (
	// maxAlike is the length of the largest that is looked for among them.
	maxAlike = 128
	// mostAlike is how many are looked among. Then it begins anew: what each app has of its
	// own comes once, and what is alike soon comes again.
	mostAlike = 1024
)

// of is a content with its digest: that of an earlier file, where one held the same.
func (a *alike) of(data []byte) content {
	if len(data) > maxAlike {
		return content{data, Digest(data)}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c, there := a.seen[string(data)]
	if !there {
		c = content{data, Digest(data)}
		if len(a.seen)%mostAlike == 0 {
			a.seen = map[string]content{}
		}
		a.seen[string(data)] = c
	}
	return c
}

package tftp

import "time"

// queue is first in, first out. Its memory is used again, so that pushing doesn't allocate.
type queue struct {
	list []*transfer
	head int
}

func (q *queue) empty() bool { return q.head == len(q.list) }

func (q *queue) push(t *transfer) {
	if q.head > len(q.list)/2 && len(q.list) == cap(q.list) {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, t)
}

// pop returns nil where the queue is empty.
func (q *queue) pop() *transfer {
	if q.empty() {
		return nil
	}
	t := q.list[q.head]
	q.list[q.head] = nil
	q.head++
	if q.empty() {
		q.list, q.head = q.list[:0], 0
	}
	return t
}

// chain is a list of transfers, oldest first, from which any can be removed.
type chain struct {
	first, last *transfer
	size        int
}

func (c *chain) push(t *transfer) {
	t.unproven, t.before, t.after = true, c.last, nil
	if c.last != nil {
		c.last.after = t
	} else {
		c.first = t
	}
	c.last = t
	c.size++
}

// remove does nothing where t is not in the chain.
func (c *chain) remove(t *transfer) {
	if !t.unproven {
		return
	}
	if t.before != nil {
		t.before.after = t.after
	} else {
		c.first = t.after
	}
	if t.after != nil {
		t.after.before = t.before
	} else {
		c.last = t.before
	}
	t.unproven, t.before, t.after = false, nil, nil
	c.size--
}

// timers are the transfers by the time of their next deadline: a heap. A deadline that moves later,
// which every packet does, leaves the heap alone until the old one has passed.
type timers struct{ heap []*transfer }

// set makes t expire at the given time, or earlier.
func (h *timers) set(t *transfer, at time.Duration) {
	if t.timerPos < 0 {
		t.timerAt, t.timerPos = at, len(h.heap)
		h.heap = append(h.heap, t)
		h.up(t.timerPos)
		return
	}
	if at < t.timerAt {
		t.timerAt = at
		h.up(t.timerPos)
	}
}

func (h *timers) remove(t *transfer) {
	i := t.timerPos
	if i < 0 {
		return
	}
	last := len(h.heap) - 1
	h.swap(i, last)
	h.heap[last] = nil
	h.heap = h.heap[:last]
	t.timerPos = -1
	if i < last {
		h.down(i)
		h.up(i)
	}
}

// expired takes out a transfer whose deadline has come; nil where there is none. Its owner sets it
// again.
func (h *timers) expired(now time.Duration) *transfer {
	for len(h.heap) > 0 && h.heap[0].timerAt <= now {
		t := h.heap[0]
		if wake := t.wake(); wake > now { // it has moved since it was set
			t.timerAt = wake
			h.down(0)
			continue
		}
		h.remove(t)
		return t
	}
	return nil
}

func (h *timers) first() (time.Duration, bool) {
	if len(h.heap) == 0 {
		return 0, false
	}
	return h.heap[0].timerAt, true
}

func (h *timers) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].timerPos, h.heap[j].timerPos = i, j
}

func (h *timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h.heap[parent].timerAt <= h.heap[i].timerAt {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *timers) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(h.heap) && h.heap[child].timerAt < h.heap[least].timerAt {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

package scan

// A keyword is a word, with ASCII's capitals made small, and the rule that it is of.
type keyword struct {
	text string
	rule int
}

// keywords find words of any number in one pass over a text (Aho and Corasick, 1975),
// whatever the case of ASCII letters.
type keywords struct {
	class   [256]uint8 // of a byte; 0 is those that no word has
	classes int
	next    []int32     // state and class to state
	found   [][]keyword // that end in a state
}

func newKeywords(words []keyword) *keywords {
	k := &keywords{classes: 1}
	for _, w := range words {
		for _, c := range []byte(w.text) {
			if k.class[c] == 0 {
				k.class[c] = uint8(k.classes)
				k.classes++
			}
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		k.class[c] = k.class[c+'a'-'A']
	}
	k.state()
	for _, w := range words {
		at := int32(0)
		for _, c := range []byte(w.text) {
			to := &k.next[int(at)*k.classes+int(k.class[c])]
			if *to == 0 {
				made := k.state()
				to = &k.next[int(at)*k.classes+int(k.class[c])] // the table has moved
				*to = made
			}
			at = *to
		}
		k.found[at] = append(k.found[at], w)
	}
	k.fall()
	return k
}

// state adds a state from which nothing leads on.
func (k *keywords) state() int32 {
	k.next = append(k.next, make([]int32, k.classes)...)
	k.found = append(k.found, nil)
	return int32(len(k.found) - 1)
}

// fall completes the transitions: where a word does not go on, the longest end of what
// was read that begins another one does.
func (k *keywords) fall() {
	back := make([]int32, len(k.found))
	var queue []int32
	for _, to := range k.next[:k.classes] {
		if to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		k.found[at] = append(k.found[at], k.found[back[at]]...)
		for class := range k.classes {
			to, other := &k.next[int(at)*k.classes+class], k.next[int(back[at])*k.classes+class]
			if *to == 0 {
				*to = other
				continue
			}
			back[*to] = other
			queue = append(queue, *to)
		}
	}
}

// each calls found for every word in text, in the order in which they end.
func (k *keywords) each(text []byte, found func(rule, from, to int)) {
	at := int32(0)
	for i, c := range text {
		at = k.next[int(at)*k.classes+int(k.class[c])]
		for _, w := range k.found[at] {
			found(w.rule, i+1-len(w.text), i+1)
		}
	}
}

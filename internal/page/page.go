// Package page prints what the examples show of themselves: text in sections, with colours
// where a terminal has them.
package page

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// A Page is where a tour is printed.
type Page struct {
	W      io.Writer
	Colour bool
}

const width = 100

// Title prints the name of all of it.
func (p Page) Title(s string) {
	fmt.Fprintf(p.W, "\n%s\n%s\n\n", p.Paint("1", s), p.Paint("1", strings.Repeat("═", len([]rune(s)))))
}

// Section prints the head of a part.
func (p Page) Section(number int, s string) {
	head := fmt.Sprintf("%d  %s ", number, s)
	fmt.Fprintf(p.W, "\n%s\n\n", p.Paint("1;36", head+strings.Repeat("─", max(0, width-len([]rune(head))))))
}

// Sayf prints a text of the guide's.
func (p Page) Sayf(format string, args ...any) { p.block("", fmt.Sprintf(format, args...)) }

// Labelled prints what somebody sends or reads.
func (p Page) Labelled(label, code, text string) {
	const indent = 17
	lines := wrapped(text, width-indent)
	for i, line := range lines {
		head := ""
		if i == 0 {
			head = label
		}
		fmt.Fprintf(p.W, "  %s%s\n", p.Paint(code, head)+strings.Repeat(" ", max(1, indent-2-len([]rune(head)))), line)
	}
}

func (p Page) block(indent, text string) {
	for _, line := range wrapped(text, width-len(indent)) {
		fmt.Fprintln(p.W, indent+line)
	}
}

// Paint returns s in the colour of that code, where there are colours.
func (p Page) Paint(code, s string) string {
	if !p.Colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// wrapped breaks a text into lines at its spaces; a longer word keeps its line.
func wrapped(text string, most int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case line == "":
				line = word
			case len([]rune(line))+1+len([]rune(word)) > most:
				lines = append(lines, line)
				line = word
			default:
				line += " " + word
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// Terminal says that colours may be used (https://no-color.org).
func Terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

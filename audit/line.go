package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
)

// The end of each line: a checksum over what is before it, which says at once which line
// is damaged. That lines are what was written is for the tree to show.
const (
	sumOpen  = `,"integrity":{"crc32c":"`
	sumClose = `"}}`
	sumSize  = len(sumOpen) + 2*crc32.Size + len(sumClose)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendSum ends a line that begins at from.
func appendSum(b []byte, from int) []byte {
	var sum [crc32.Size]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(b[from:], castagnoli))
	b = append(b, sumOpen...)
	b = hex.AppendEncode(b, sum[:])
	return append(b, sumClose...)
}

// Faults of a line. They name what is wrong and not whose fault it is.
var (
	errForm = errors.New("it does not have the form of an event of this log")
	errSum  = errors.New("it is damaged: its checksum is another")
)

// checkSum checks the checksum of a line, without its end of line.
func checkSum(line []byte) error {
	at := len(line) - sumSize
	if at <= 0 {
		return errForm
	}
	text, ok := bytes.CutPrefix(line[at:], []byte(sumOpen))
	text, ok2 := bytes.CutSuffix(text, []byte(sumClose))
	var sum [crc32.Size]byte
	switch {
	case !ok || !ok2 || len(text) != 2*len(sum) || !lowerHex(text, sum[:]):
		return errForm
	case binary.BigEndian.Uint32(sum[:]) != crc32.Checksum(line[:at], castagnoli):
		return errSum
	}
	return nil
}

// lowerHex decodes hexadecimal digits in lower case alone: a line has one form.
func lowerHex(text, into []byte) bool {
	n, err := hex.Decode(into, text)
	return err == nil && n == len(into) && bytes.Equal(bytes.ToLower(text), text)
}

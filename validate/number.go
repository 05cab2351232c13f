package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A json.Number is a number in JSON, as encoding/json and the SDK have it; to the
// decoder's own eyes it is a string like any other.
var (
	readNumber  = jsonv2.JoinUnmarshalers(jsonv2.UnmarshalFromFunc(decodeNumber), jsonv2.UnmarshalFromFunc(decodeBig))
	writeNumber = jsonv2.MarshalToFunc(encodeNumber)
)

var (
	errNoNumber = errors.New("it is no number")
	errNotWhole = Refuse(fmt.Sprintf("must be a whole number of at most %d digits", digits))
)

// digits bounds a big.Int: reading one takes time that grows with the square of its
// length, and no key or amount is longer.
const digits = 5000

func decodeBig(dec *jsontext.Decoder, n *big.Int) error {
	if dec.PeekKind() != '0' {
		return errNoNumber
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return fmt.Errorf("a number: %w", err)
	}
	d, _ := decimalOf(string(raw))
	read, ok := d.wholeOf(digits)
	if !ok {
		return errNotWhole
	}
	n.Set(read)
	return nil
}

func decodeNumber(dec *jsontext.Decoder, n *json.Number) error {
	if dec.PeekKind() != '0' {
		return errNoNumber
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return fmt.Errorf("a number: %w", err)
	}
	*n = json.Number(raw)
	return nil
}

// encodeNumber writes the empty number, which is the zero value, as 0.
func encodeNumber(enc *jsontext.Encoder, n json.Number) error {
	raw := jsontext.Value(n)
	if len(raw) == 0 {
		raw = jsontext.Value("0")
	}
	if raw.Kind() != '0' {
		return errNoNumber
	}
	return enc.WriteValue(raw) //nolint:wrapcheck // says what is wrong with it
}

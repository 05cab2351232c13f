package limit_test

import (
	"reflect"
	"testing"

	"github.com/safemcp/safemcp/limit"
)

// fields calls f with each field of limits, so that one that is added later is
// tested without anybody thinking of it.
func fields(l *limit.Limits, f func(name string, field reflect.Value)) {
	v := reflect.ValueOf(l).Elem()
	for i := range v.NumField() {
		f(v.Type().Field(i).Name, v.Field(i))
	}
}

// set gives a field a number: a rate, that many in that many nanoseconds.
func set(field reflect.Value, n int64) {
	if field.Kind() == reflect.Struct {
		field.Field(0).SetInt(n)
		field.Field(1).SetInt(n)
		return
	}
	field.SetInt(n)
}

func TestOrTakesWhatIsNotSet(t *testing.T) {
	t.Parallel()
	base := limit.Defaults()
	if got := (limit.Limits{}).Or(base); got != base {
		t.Errorf("nothing set gives %+v", got)
	}
	if got := base.Or(limit.Limits{}); got != base {
		t.Errorf("an empty base changes it to %+v", got)
	}
	fields(new(limit.Limits), func(name string, _ reflect.Value) {
		var own limit.Limits
		want := base
		set(reflect.ValueOf(&own).Elem().FieldByName(name), 7)
		set(reflect.ValueOf(&want).Elem().FieldByName(name), 7)
		before := own
		if got := own.Or(base); got != want {
			t.Errorf("%s set: %+v, want %+v", name, got, want)
		}
		if own != before {
			t.Errorf("%s set: Or changed its receiver", name)
		}
	})
}

// A negative field is a mistake to be reported; Or must not paper over it.
func TestOrKeepsWhatIsWrong(t *testing.T) {
	t.Parallel()
	fields(new(limit.Limits), func(name string, _ reflect.Value) {
		var own limit.Limits
		set(reflect.ValueOf(&own).Elem().FieldByName(name), -1)
		if got := own.Or(limit.Defaults()).Check(); got != name {
			t.Errorf("%s is negative, Check says %q", name, got)
		}
	})
}

func TestCheckNamesTheFirstNegativeField(t *testing.T) {
	t.Parallel()
	if got := (limit.Limits{}).Check(); got != "" {
		t.Errorf("the zero value: %q", got)
	}
	if got := limit.Defaults().Check(); got != "" {
		t.Errorf("the defaults: %q", got)
	}
	var all limit.Limits
	fields(&all, func(_ string, field reflect.Value) { set(field, -1) })
	fields(&all, func(name string, field reflect.Value) {
		if got := all.Check(); got != name {
			t.Errorf("Check says %q, the first is %s", got, name)
		}
		set(field, 1)
	})
	if got := all.Check(); got != "" {
		t.Errorf("all are positive, Check says %q", got)
	}
}

// Where nothing is said, everything is bounded.
func TestDefaultsBoundEverything(t *testing.T) {
	t.Parallel()
	l := limit.Defaults()
	fields(&l, func(name string, field reflect.Value) {
		if name == "Rate" {
			return // CallerRate bounds every tool
		}
		if field.Kind() == reflect.Struct {
			field = field.Field(0)
		}
		if field.Int() <= 0 {
			t.Errorf("%s has no bound", name)
		}
	})
}

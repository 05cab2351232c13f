package main

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/secrets"
)

// explain gives errors their words for the caller.
//
// Of what PostgreSQL says, a caller reads the code and the primary message, and those
// only where they are about the statement that the caller wrote. The message may quote the
// statement, names of the schema, and values that the statement came across: nothing that
// the role could not have selected. Details, hints and contexts are left out; they may
// show rows and the text of functions. What is said of connections, files, memory and
// the server's own faults stays inside, and is in the audit log under the reference.
func explain(err error) *safetool.Problem {
	var (
		count    *wrongCount
		said     *failed
		role     *tooPowerful
		unopened *pgconn.ConnectError
	)
	switch {
	case errors.As(err, &count):
		return &safetool.Problem{
			Code: "wrong_parameters", Category: safetool.CategoryCaller,
			Message: fmt.Sprintf("The statement has %d parameters ($1, $2, …), and params has %d values. Nothing was read.", count.has, count.given),
		}
	case errors.Is(err, errTooLarge):
		return &safetool.Problem{
			Code: safetool.CodeResultTooLarge, Category: safetool.CategoryCaller,
			Message: fmt.Sprintf("The first row alone, or what is said of it, has more than the %d bytes that an answer may have.", mostBytes),
			Hint:    "Select fewer columns, or a part of the long ones, as left(body, 200).",
		}
	case errors.As(err, &said):
		return statementProblem(said)
	case errors.As(err, &role):
		return &safetool.Problem{
			Code: "role_too_powerful", Category: safetool.CategoryServer,
			Message: "The database role that this server was given may do more than read, so it is not used. Nothing was done.",
			Hint:    "Whoever runs the server has to narrow it: tell them the reference.",
		}
	case errors.Is(err, secrets.ErrRejected), errors.Is(err, secrets.ErrUnavailable), errors.As(err, &unopened):
		return &safetool.Problem{
			Code: "database_unavailable", Category: safetool.CategoryUpstream, Retry: true,
			Message: "The database cannot be used at the moment. Nothing was done.", Hint: "Try again later.",
		}
	}
	return nil
}

// The classes of SQLSTATE (PostgreSQL, appendix A) that are about a statement: features,
// cardinality, data, the state of the transaction, what a function raised, syntax and
// access, limits of a program.
var aboutStatements = map[string]bool{"0A": true, "21": true, "22": true, "25": true, "2F": true, "38": true, "42": true, "54": true, "P0": true}

func statementProblem(said *failed) *safetool.Problem {
	p := &safetool.Problem{Code: "statement_refused", Category: safetool.CategoryCaller}
	switch class := said.Code[:min(2, len(said.Code))]; {
	case said.Code == "57014":
		p.Code, p.Message = safetool.CodeTimeout, "The statement took too long and was ended. It has changed nothing."
		p.Hint = "Let it look at less: a narrower WHERE, a LIMIT, columns that have an index."
	case said.Code == "55P03":
		p.Code, p.Category, p.Retry = safetool.CodeBusy, safetool.CategoryUpstream, true
		p.Message, p.Hint = "The statement would have had to wait for a lock that somebody else holds.", "Try again later."
	case aboutStatements[class]:
		p.Message = fmt.Sprintf("PostgreSQL refused the statement: %s (SQLSTATE %s%s).", shortened(said.Message), said.Code, at(said))
		if said.Code == "42601" || class == "0A" || class == "25" {
			p.Hint = "One SELECT is taken, also WITH … SELECT, VALUES or TABLE, and nothing that writes or comes after a semicolon."
		}
	default:
		p.Code, p.Category, p.Retry = "database_unavailable", safetool.CategoryUpstream, true
		p.Message, p.Hint = fmt.Sprintf("The database could not run the statement (SQLSTATE %s). It has changed nothing.", said.Code), "Try again later."
	}
	return p
}

// at is where in the statement it was, as the caller wrote it.
func at(said *failed) string {
	const before = len(declare)
	if position := int(said.Position) - before; position > 0 {
		return fmt.Sprintf(", at character %d", position)
	}
	return ""
}

func shortened(message string) string {
	const most = 300
	if runes := []rune(message); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return message
}

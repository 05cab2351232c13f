// Package scan finds secrets in what leaves a server and takes them out.
package scan

package arg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Program is what [Command] may run: one file, by its absolute path, with options that
// the program's author wrote. [NewProgram] makes it; the zero value runs nothing. It is
// safe for concurrent use.
type Program struct {
	path    string
	options []string
	env     []string
	dir     string
	most    int
}

// ProgramOptions are the rest of a command. Nil is the zero value.
type ProgramOptions struct {
	// Options come before "--": the program's own options, none of a caller's.
	Options []string
	// Env is the whole environment, as "NAME=value". Nothing is inherited from the
	// server, whose own environment may hold secrets. Windows adds SYSTEMROOT.
	Env []string
	// Dir is the working directory, an absolute path; empty is the file system's root,
	// so that a relative name is none of the server's files.
	Dir string
	// MaxArgs is the most arguments that a caller gives; 0 is 64.
	MaxArgs int
}

// runners run what their arguments say: a shell, a program that starts another, and one
// whose language can (e in GNU sed, .shell in sqlite3, a variable in make). No "--" keeps an
// argument from being a program there.
var runners = []string{
	"sh", "ash", "bash", "csh", "dash", "fish", "ksh", "mksh", "nu", "rbash", "tcsh", "yash", "zsh", "busybox", "toybox",
	"cmd", "command", "powershell", "pwsh", "wscript", "cscript", "mshta", "rundll32", "wsl",
	"awk", "gawk", "mawk", "nawk", "node", "deno", "bun", "npx", "perl", "php", "python", "python2", "python3", "ruby", "lua", "luajit", "tclsh", "osascript", "guile", "rscript", "java", "mono",
	"dc", "ed", "ex", "vi", "view", "vim", "vim.basic", "vim.nox", "vim.tiny", "nvim", "emacs", "gdb", "lldb", "m4", "make", "gmake", "sed", "gsed", "socat", "sqlite", "sqlite3",
	"bwrap", "docker", "kubectl", "nerdctl", "podman", "proot", "screen", "tmux",
	"cpulimit", "fakeroot", "faketime", "firejail", "linux32", "linux64", "ltrace", "numactl", "perf", "prlimit", "rlwrap", "setarch", "unbuffer", "valgrind", "xvfb-run",
	"chroot", "chrt", "doas", "env", "eval", "exec", "expect", "flock", "ionice", "nice", "nohup", "nsenter", "parallel", "pkexec", "runuser", "script",
	"aa-exec", "abduco", "capsh", "catatonit", "cgexec", "choom", "chpst", "coresched", "crictl", "crun", "ctr", "dbus-launch", "dbus-run-session", "dtach", "dumb-init",
	"eatmydata", "entr", "envdir", "gosu", "gpg-agent", "hyperfine", "logsave", "pipesz", "proxychains", "rr", "run-parts", "runc", "runcon", "sem", "setuidgid", "sg",
	"softlimit", "ssh-agent", "sshpass", "su-exec", "systemd-cat", "systemd-inhibit", "systemd-nspawn", "tini", "torsocks", "uclampset",
	"ant", "cmake", "corepack", "go", "gradle", "ipython", "jrunscript", "jshell", "julia", "just", "mvn", "ninja", "npm", "octave", "pipx", "pnpm", "pypy", "r", "rake",
	"uv", "uvx", "wish", "yarn",
	"setpriv", "setsid", "ssh", "start-stop-daemon", "stdbuf", "strace", "su", "sudo", "systemd-run", "taskset", "time", "timeout", "unshare", "watch", "xargs",
}

// NewProgram allows a program: an absolute path of an executable file that not everybody
// may write to. Shells, interpreters and programs that start what their arguments name
// are refused, as far as they are known by name, and so are batch files of Windows, whose
// arguments a shell reads (CVE-2024-24576). The error is a sentence for the author.
func NewProgram(path string, o *ProgramOptions) (*Program, error) {
	var options ProgramOptions
	if o != nil {
		options = *o
	}
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return nil, fmt.Errorf("the program %q is no absolute path in its shortest form", path)
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("the program %q: %w", path, err)
	}
	info, err := os.Stat(resolved)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the program %q: %w", path, err)
	case !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return nil, fmt.Errorf("the program %q is no file that can be executed", path)
	case runtime.GOOS != "windows" && info.Mode()&0o002 != 0:
		return nil, fmt.Errorf("the program %q can be written to by everybody", path)
	}
	if name := runs(path); name != "" {
		return nil, fmt.Errorf("the program %q is %s, which runs what its arguments say: name the program that is meant", path, name)
	}
	if name := runs(resolved); name != "" && name != "busybox" && name != "toybox" { // which do what they were called for
		return nil, fmt.Errorf("the program %q is %s, which runs what its arguments say: name the program that is meant", path, name)
	}
	p := &Program{path: path, options: slices.Clone(options.Options), env: slices.Clone(options.Env), dir: options.Dir, most: options.MaxArgs}
	if err := p.complete(); err != nil {
		return nil, err
	}
	return p, nil
}

// complete fills in the defaults and looks at the texts of the author.
func (p *Program) complete() error {
	for _, s := range slices.Concat(p.options, p.env, []string{p.dir}) {
		if strings.ContainsRune(s, 0) {
			return errors.New("an option, a variable or the directory holds a NUL")
		}
	}
	if slices.Contains(p.options, "--") {
		return errors.New("the options hold --, which Command puts behind them")
	}
	for _, v := range p.env {
		if name, _, found := strings.Cut(v, "="); !found || name == "" {
			return errors.New("a variable of the environment is not written as NAME=value")
		}
	}
	if p.env == nil {
		p.env = []string{} // nil would be the server's own
	}
	if p.dir == "" {
		p.dir = filepath.VolumeName(p.path) + string(filepath.Separator)
	}
	if !filepath.IsAbs(p.dir) {
		return errors.New("the working directory is no absolute path")
	}
	if p.most < 0 {
		return errors.New("MaxArgs is negative: 0 is the default")
	}
	if p.most == 0 {
		p.most = 64
	}
	return nil
}

// runs returns which of the runners a path is, whatever its version, "" for none.
func runs(path string) string {
	name := strings.ToLower(filepath.Base(path))
	if ext := filepath.Ext(name); ext == ".bat" || ext == ".cmd" {
		return "a batch file"
	}
	for _, ext := range []string{".exe", ".com"} {
		name = strings.TrimSuffix(name, ext)
	}
	if strings.HasPrefix(name, "ld-") && strings.Contains(name, ".so") || strings.HasPrefix(name, "ld.so") {
		return "the dynamic loader"
	}
	unversioned := strings.TrimRight(name, "0123456789.-")
	for _, n := range []string{name, unversioned} {
		if slices.Contains(runners, n) {
			return n
		}
	}
	return ""
}

// Command returns a command that runs a program: its path, the options of its author,
// "--" and the arguments, each whole, without a shell. It is killed when ctx ends, has
// the environment and the directory of [ProgramOptions] and no standard input, and its
// output goes where the handler sends it. At most 64 KiB of arguments are taken.
//
// A program that does not know "--" takes it for an argument; the arguments are no
// options for it all the same.
func Command(ctx context.Context, p *Program, args ...Option) (*exec.Cmd, error) {
	if p == nil || p.path == "" {
		return nil, errors.New("there is no program: make one with NewProgram")
	}
	if len(args) > p.most {
		return nil, fmt.Errorf("there are more than %d arguments", p.most)
	}
	argv := append(slices.Clone(p.options), "--")
	size := 0
	for _, a := range args {
		if a.text == "" {
			return nil, ErrUnset
		}
		size += len(a.text)
		argv = append(argv, a.text)
	}
	if size > 64<<10 {
		return nil, errors.New("the arguments are more than 64 KiB")
	}
	cmd := exec.CommandContext(ctx, p.path, argv...) //nolint:gosec // that is what it is for
	cmd.Env, cmd.Dir = slices.Clone(p.env), p.dir
	cmd.WaitDelay = 5 * time.Second // for what the program itself started and left behind
	return cmd, nil
}

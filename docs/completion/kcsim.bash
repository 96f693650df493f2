# Completion for bash:  source docs/completion/kcsim.bash
#
# The first word is a command; behind it options (asked from the program itself), scenario files, or
# the names that `kcsim explain` knows.

# The options in the help of a command, or of its word $2, if it has words.
_kcsim_options() {
    local help
    help=$("${COMP_WORDS[0]}" help "$1" "$2" 2>/dev/null) || help=$("${COMP_WORDS[0]}" help "$1" 2>/dev/null)
    awk '/^ +-/ && match($0, /--[A-Za-z-]+/) { print substr($0, RSTART, RLENGTH) }' <<<"$help"
}

_kcsim() {
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]-}
    local commands='run play test campaign demo lesson coverage why describe zk logs export report diff branch import controller stream explain fidelity help version'
    local topics='ReplicaStateMachine PartitionStateMachine versions defects scenario schema faults targets events
        clients client-properties expectations checks times exit-codes'
    if [[ $COMP_CWORD == 1 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
        return
    fi
    if [[ $word == -* ]]; then
        local options
        options=$(_kcsim_options "$command" "${COMP_WORDS[2]-}")
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return
    fi
    case $command in
    stream)
        if [[ $COMP_CWORD == 2 ]]; then
            mapfile -t COMPREPLY < <(compgen -W \
                'run info list status metrics checkpoint savepoint stop cancel' -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
        fi
        ;;
    help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word") ;;
    explain) mapfile -t COMPREPLY < <(compgen -W "$topics" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}
complete -o filenames -F _kcsim kcsim ./kcsim

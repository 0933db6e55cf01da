# Completion of charlstm in bash: the program itself says what may come next.

_charlstm() {
    local IFS=$'\n'
    COMPREPLY=($(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
        _CHARLSTM_COMPLETE=complete_bash "$1" 2>/dev/null))
}

complete -o default -F _charlstm charlstm

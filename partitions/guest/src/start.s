    // The first instructions of every core. x0 and x1 belong to whoever is called in the end.
    .macro address register, symbol
    adrp    \register, \symbol
    add     \register, \register, :lo12:\symbol
    .endm

    .section .text.start, "ax"
    .global septum_guest_start
septum_guest_start:
    bl      septum_guest_core
    address x9, septum_guest_stack_top
    mov     sp, x9
    address x9, septum_guest_bss_start
    address x10, septum_guest_bss_end
1:  cmp     x9, x10
    b.hs    2f
    stp     xzr, xzr, [x9], #16
    b       1b
2:  msr     daifclr, #4
    mov     x29, xzr
    mov     x30, xzr
    b       {first}

    // x0 = the `cores::Start` that CPU_ON was given.
    .global septum_guest_start_secondary
septum_guest_start_secondary:
    bl      septum_guest_core
    ldr     x9, [x0, #{stack_top}]
    mov     sp, x9
    msr     daifclr, #4
    mov     x29, xzr
    mov     x30, xzr
    b       {secondary}

    // MMU, caches, floating point and vectors, by registers alone.
septum_guest_core:
    msr     daifset, #0xf
    msr     spsel, #1
    address x9, {table}
    msr     ttbr0_el1, x9
    ldr     x9, ={mair}
    msr     mair_el1, x9
    // TCR_EL1.IPS is what the core reports, at most 5 (48 bits).
    ldr     x9, ={tcr}
    mrs     x10, id_aa64mmfr0_el1
    and     x10, x10, #0xf
    mov     x11, #5
    cmp     x10, x11
    csel    x10, x10, x11, lo
    bfi     x9, x10, #32, #3
    msr     tcr_el1, x9
    ldr     x9, ={cpacr}
    msr     cpacr_el1, x9
    address x9, septum_guest_vectors
    msr     vbar_el1, x9
    tlbi    vmalle1
    dsb     nsh
    isb
    ldr     x9, ={sctlr}
    msr     sctlr_el1, x9
    isb
    ret
    .ltorg

    // The exception vectors. Every exception saves the whole frame (`exception::Frame`), because a handler is Rust code
    // that may use any register, floating point included.
    .macro vector number
    .balign 0x80
    sub     sp, sp, #{frame_bytes}
    stp     x0, x1, [sp]
    mov     x0, #\number
    b       septum_guest_exception
    .endm

    .section .text.vectors, "ax"
    .balign 0x800
    .global septum_guest_vectors
septum_guest_vectors:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector \n
    .endr

septum_guest_exception:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    mrs     x3, fpcr
    mrs     x4, fpsr
    str     x30, [sp, #240]
    stp     x1, x2, [sp, #{elr}]
    stp     x3, x4, [sp, #{fpcr}]
    stp     q0, q1, [sp, #({q} + 0)]
    stp     q2, q3, [sp, #({q} + 32)]
    stp     q4, q5, [sp, #({q} + 64)]
    stp     q6, q7, [sp, #({q} + 96)]
    stp     q8, q9, [sp, #({q} + 128)]
    stp     q10, q11, [sp, #({q} + 160)]
    stp     q12, q13, [sp, #({q} + 192)]
    stp     q14, q15, [sp, #({q} + 224)]
    stp     q16, q17, [sp, #({q} + 256)]
    stp     q18, q19, [sp, #({q} + 288)]
    stp     q20, q21, [sp, #({q} + 320)]
    stp     q22, q23, [sp, #({q} + 352)]
    stp     q24, q25, [sp, #({q} + 384)]
    stp     q26, q27, [sp, #({q} + 416)]
    stp     q28, q29, [sp, #({q} + 448)]
    stp     q30, q31, [sp, #({q} + 480)]
    mov     x1, sp
    bl      {taken}
    ldp     q0, q1, [sp, #({q} + 0)]
    ldp     q2, q3, [sp, #({q} + 32)]
    ldp     q4, q5, [sp, #({q} + 64)]
    ldp     q6, q7, [sp, #({q} + 96)]
    ldp     q8, q9, [sp, #({q} + 128)]
    ldp     q10, q11, [sp, #({q} + 160)]
    ldp     q12, q13, [sp, #({q} + 192)]
    ldp     q14, q15, [sp, #({q} + 224)]
    ldp     q16, q17, [sp, #({q} + 256)]
    ldp     q18, q19, [sp, #({q} + 288)]
    ldp     q20, q21, [sp, #({q} + 320)]
    ldp     q22, q23, [sp, #({q} + 352)]
    ldp     q24, q25, [sp, #({q} + 384)]
    ldp     q26, q27, [sp, #({q} + 416)]
    ldp     q28, q29, [sp, #({q} + 448)]
    ldp     q30, q31, [sp, #({q} + 480)]
    ldp     x1, x2, [sp, #{elr}]
    ldp     x3, x4, [sp, #{fpcr}]
    ldr     x30, [sp, #240]
    msr     elr_el1, x1
    msr     spsr_el1, x2
    msr     fpcr, x3
    msr     fpsr, x4
    ldp     x28, x29, [sp, #224]
    ldp     x26, x27, [sp, #208]
    ldp     x24, x25, [sp, #192]
    ldp     x22, x23, [sp, #176]
    ldp     x20, x21, [sp, #160]
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp]
    add     sp, sp, #{frame_bytes}
    eret
